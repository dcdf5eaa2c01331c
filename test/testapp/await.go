package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// awaitFile answers once a file exists: whoever asked says by that when the
// answer is to come.
func awaitFile(w http.ResponseWriter, r *http.Request) {
	path := r.FormValue("file")
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			fmt.Fprintln(w, "it is there")
			return
		}
		select {
		case <-again.C:
		case <-r.Context().Done():
			return
		}
	}
}
