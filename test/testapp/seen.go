package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"sync"
)

// seen counts requests by their ids, so that a request that was sent twice
// shows. The file, if there is one, outlives the process and is shared by all
// instances: one id on each line.
type seen struct {
	file string

	mu    sync.Mutex
	total int
	count map[string]int
}

func (s *seen) add(id string) {
	if id == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	s.count[id]++
	if s.file == "" {
		return
	}
	file, err := os.OpenFile(s.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		log.Panicf("note request: %v", err)
	}
	defer file.Close()
	if _, err := file.WriteString(id + "\n"); err != nil { // one write: whole lines (open(2), O_APPEND)
		log.Panicf("note request: %v", err)
	}
}

// ServeHTTP tells how many requests have come, and which came more than once.
func (s *seen) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := struct {
		Total      int            `json:"total"`
		Duplicates map[string]int `json:"duplicates"`
	}{s.total, make(map[string]int)}
	for id, n := range s.count {
		if n > 1 {
			answer.Duplicates[id] = n
		}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		log.Print(err)
	}
}
