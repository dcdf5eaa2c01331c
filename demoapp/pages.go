package main

import (
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gracevisor/demoapp/websocket"
)

const pageList = `
Pages:
  /           who answers: version, process id, host
  /healthz    200 as long as the app works
  /slow?ms=N  answers after N milliseconds (1000)
  /stream     counts to 10, one line every half second
  /echo       sends the body of a POST back
  /ws         a WebSocket that sends every message back
`

// maxPause bounds what a client can ask /slow for.
const maxPause = time.Minute

// pages returns the handler of the whole app. Each answer tells in X-Pid which
// process has made it.
func pages() http.Handler {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	front := &frontPage{Version: version, PID: os.Getpid(), Host: host}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", front)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") })
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /ws", webSocket)
	pid := strconv.Itoa(os.Getpid())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pid", pid)
		mux.ServeHTTP(w, r)
	})
}

// frontPage says who answers: to browsers in HTML, to everybody else in a line.
type frontPage struct {
	Version string
	PID     int
	Host    string
	served  atomic.Int64
}

var frontTemplate = template.Must(template.New("front").Parse(`<!DOCTYPE html>
<title>demo</title>
<style>body{font:1.2em/1.6 sans-serif;max-width:30em;margin:4em auto;color:#234} b{color:#06c}</style>
<h1>It works</h1>
<p>Answered by <b>demo {{.Version}}</b>, process <b>{{.PID}}</b> on {{.Host}}; request {{.Count}} since it started.
<p>Run <code>gracevisorctl restart demo</code> and load this page again: another process answers, and no request was lost in between.
<pre>{{.Pages}}</pre>
`))

func (p *frontPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	count := p.served.Add(1)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		fmt.Fprintf(w, "demo %s, pid %d on %s, request %d\n", p.Version, p.PID, p.Host, count)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := frontTemplate.Execute(w, struct {
		*frontPage
		Count int64
		Pages string
	}{p, count, pageList})
	if err != nil {
		log.Printf("write front page: %v", err)
	}
}

func slow(w http.ResponseWriter, r *http.Request) {
	pause := time.Second
	if text := r.FormValue("ms"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 0 || time.Duration(ms)*time.Millisecond > maxPause {
			http.Error(w, fmt.Sprintf("ms must be a number from 0 to %d", maxPause.Milliseconds()), http.StatusBadRequest)
			return
		}
		pause = time.Duration(ms) * time.Millisecond
	}
	select {
	case <-r.Context().Done():
	case <-time.After(pause):
		fmt.Fprintf(w, "answered after %v by pid %d\n", pause, os.Getpid())
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= 10; i++ {
		fmt.Fprintf(w, "%d of 10, pid %d\n", i, os.Getpid())
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // the client has gone
		}
		if i == 10 {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	// The body may be longer than any buffer: answer while it still comes.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		http.Error(w, "cannot echo here", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		log.Printf("echo: %v", err)
		panic(http.ErrAbortHandler) // what is cut must look cut
	}
}

func webSocket(w http.ResponseWriter, r *http.Request) {
	conn, reader, err := websocket.Accept(w, r)
	if err != nil {
		return // it has been answered
	}
	defer conn.Close()
	if err := websocket.Echo(conn, reader); err != nil {
		log.Printf("websocket: %v", err)
	}
}
