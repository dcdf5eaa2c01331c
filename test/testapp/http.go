package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"gracevisor/test/events"
)

// drainTime bounds how long an app that was told to stop finishes requests.
const drainTime = time.Minute

// serveHTTP serves until it is told to stop, and then finishes what it has
// begun, as a well-behaved app does.
func (a *app) serveHTTP(listener net.Listener, stop <-chan os.Signal) error {
	server := &http.Server{
		Handler:     a.handler(),
		IdleTimeout: a.idleTimeout,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, requestsKey{}, new(atomic.Int64))
		},
	}
	if a.idleReset {
		server.ConnState = resetWhenIdle
	}
	failed := make(chan error, 1)
	// Ends when the server is shut down, or with the process.
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return server.Shutdown(ctx)
}

// resetWhenIdle makes a close of an idle connection a reset.
func resetWhenIdle(conn net.Conn, state http.ConnState) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	seconds := -1
	if state == http.StateIdle {
		seconds = 0
	}
	if state == http.StateIdle || state == http.StateActive {
		_ = tcp.SetLinger(seconds) // fails if the client has gone
	}
}

// requestsKey finds the number of requests that have come on a connection.
type requestsKey struct{}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	a.addLoadPages(mux)
	health := &health{file: a.healthFile}
	health.status.Store(int64(a.healthStatus))
	mux.Handle("/health", health)
	mux.HandleFunc("/info", a.info)
	mux.HandleFunc("/fault", fault)
	mux.HandleFunc("/interim", interim)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/request", describeRequest)
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) { a.exit(number(r, "code", 1)) })
	mux.HandleFunc("/await", awaitFile)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	seen := &seen{file: a.seenFile, count: make(map[string]int)}
	mux.Handle("/seen", seen)

	pid := strconv.Itoa(os.Getpid())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reused := r.Context().Value(requestsKey{}).(*atomic.Int64).Add(1) > 1
		if reused && a.resetReused == "before" {
			reset(w)
			return
		}
		seen.add(r.Header.Get("X-Load-Id"))
		if reused && a.resetReused == "after" {
			reset(w)
			return
		}
		if name := r.Header.Get("X-Notify"); name != "" {
			a.tell(events.Event{Kind: events.Request, Detail: name})
		}
		w.Header().Set("X-Pid", pid)
		w.Header().Set("X-Instance", a.instance)
		if a.closeEachAnswer {
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

// hijack takes the connection over; it may not fail here.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		log.Panicf("hijack: %v", err)
	}
	return conn
}

// reset ends the connection with a TCP RST; a Unix socket is just closed.
func reset(w http.ResponseWriter) {
	conn := hijack(w)
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			log.Print(err)
		}
	}
	if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		log.Print(err)
	}
}

// number returns a number of the query, or standard without one.
func number(r *http.Request, name string, standard int) int {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil {
		return standard
	}
	return n
}
