package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// health is the page for health checks. Its status is that of the file, if it
// exists, or else the last one that was posted.
type health struct {
	file   string
	status atomic.Int64
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		h.status.Store(int64(number(r, "status", http.StatusOK)))
		fmt.Fprintln(w, "the status is set")
		return
	}
	status := int(h.status.Load())
	if h.file != "" {
		if text, err := os.ReadFile(h.file); err == nil {
			status, err = strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				status = http.StatusInternalServerError
			}
		}
	}
	if status == 0 {
		<-r.Context().Done()
		return
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "health %d\n", status)
}
