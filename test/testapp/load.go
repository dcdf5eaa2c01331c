package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"strconv"
	"time"

	"gracevisor/demoapp/websocket"
	"gracevisor/test/load"
)

// addLoadPages adds the pages that package load asks for, as it describes
// them.
func (a *app) addLoadPages(mux *http.ServeMux) {
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	mux.HandleFunc("/blob", blob)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/events", serverSentEvents)
	mux.HandleFunc("/sink", sink)
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, reader, err := websocket.Accept(w, r)
		if err != nil {
			return // it has been answered
		}
		defer conn.Close()
		if err := websocket.Echo(conn, reader); err != nil {
			log.Printf("websocket: %v", err)
		}
	})
}

// maxBlob bounds a /blob in bytes.
const maxBlob = 64 << 20

func blob(w http.ResponseWriter, r *http.Request) {
	body := load.Pattern(min(max(number(r, "size", 100), 0), maxBlob))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // fails if the client has gone
}

// echo answers after all of the body has come.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		log.Printf("echo: %v", err)
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

func slow(w http.ResponseWriter, r *http.Request) {
	ms := number(r, "ms", 300)
	if waited(r, ms) {
		fmt.Fprintf(w, "slow %d\n", ms)
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	sum := crc32.NewIEEE()
	for i := 1; i <= number(r, "chunks", 10); i++ {
		fmt.Fprintf(io.MultiWriter(w, sum), "seq %d\n", i)
		if http.NewResponseController(w).Flush() != nil || !waited(r, number(r, "ms", 10)) {
			return
		}
	}
	fmt.Fprintf(w, "sum %08x\n", sum.Sum32())
}

func serverSentEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 1; i <= number(r, "count", 10); i++ {
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
		if http.NewResponseController(w).Flush() != nil || !waited(r, number(r, "ms", 10)) {
			return
		}
	}
}

func sink(w http.ResponseWriter, r *http.Request) {
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		log.Printf("sink: %v", err)
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d %08x\n", n, sum.Sum32())
}

// waited waits for ms milliseconds, and reports whether the client has too.
func waited(r *http.Request, ms int) bool {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
