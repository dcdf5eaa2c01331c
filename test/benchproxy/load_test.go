package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// startBackend runs the backend until the end of the test, and returns its
// address.
func startBackend(t *testing.T, network, address string) string {
	t.Helper()
	listener := listen(t, network, address)
	go serveBackend(listener) // ends with the listener
	return listener.Addr().String()
}

func smallLoad(address string, clients int) load {
	return load{address: address, clients: clients, request: requestFor(small), size: small, silence: time.Minute}
}

func TestLoad(t *testing.T) {
	address := startBackend(t, "tcp", "127.0.0.1:0")
	for _, size := range []int{small, large} {
		for _, clients := range []int{1, 20} {
			t.Run(scenario{httpToTCP, size, clients}.String(), func(t *testing.T) {
				l := smallLoad(address, clients)
				l.request, l.size = requestFor(size), size
				l.window, l.latencies = 100*time.Millisecond, true
				readings := 0
				got, err := runLoad(t.Context(), l, func() error { readings++; return nil })
				if err != nil {
					t.Fatal(err)
				}
				if readings != 2 || got.bytes == 0 {
					t.Errorf("%d bytes, %d readings", got.bytes, readings)
				}
				if most := int(got.bytes)/size + clients; len(got.latencies) > most {
					t.Errorf("%d answers, though no more than %d could come", len(got.latencies), most)
				}
			})
		}
	}
}

func TestLoadWithoutWindow(t *testing.T) {
	var served atomic.Int64
	listener := listen(t, "tcp", "127.0.0.1:0")
	// One client at a time; ends with the listener.
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.Write(make([]byte, small))
	}))
	got, err := runLoad(t.Context(), smallLoad(listener.Addr().String(), 1), nil)
	if err != nil || got.bytes != 0 || served.Load() != 1 {
		t.Errorf("%d requests, %+v, %v", served.Load(), got, err)
	}
}

// startServer answers each request with the same bytes, cut into two writes,
// and keeps the connection or closes it.
func startServer(t *testing.T, answer string, keep bool) string {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	serve := func(conn net.Conn) {
		defer conn.Close()
		for r := bufio.NewReader(conn); ; {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			for _, part := range []string{answer[:len(answer)/2], answer[len(answer)/2:]} {
				if _, err := io.WriteString(conn, part); err != nil {
					return
				}
			}
			if !keep {
				return
			}
		}
	}
	// Ends with the listener, each connection with its client.
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}

func TestLoadSeesFaults(t *testing.T) {
	body := strings.Repeat("x", small)
	head := func(status string, length int) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n", status, length)
	}
	cases := []struct {
		name, answer, fault string
		keep                bool
	}{
		{"good", head("200 OK", small) + body, "", true},
		{"another status", head("502 Bad Gateway", small) + body, "no 200", true},
		{"longer body", head("200 OK", small+1) + body + "x", "101 bytes instead of 100", true},
		{"shorter body", head("200 OK", small-1) + body[1:], "99 bytes instead of 100", true},
		{"too much", head("200 OK", small) + body + "x", "too many", true},
		{"too little", head("200 OK", small) + body[1:], "ended in it", false},
		{"too little, and silence", head("200 OK", small) + body[1:], "none for", true},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n" + body, "no Content-Length", true},
		{"no end of the header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10_000), "no end", true},
		{"nothing", "", "ended in it", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := smallLoad(startServer(t, c.answer, c.keep), 2)
			if c.fault == "none for" {
				l.silence = time.Millisecond
			}
			_, err := runLoad(t.Context(), l, nil)
			switch {
			case c.fault == "" && err != nil:
				t.Error(err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("error %v does not say %q", err, c.fault)
			}
		})
	}
}

func TestLoadNeedsKeptConnections(t *testing.T) {
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", small, strings.Repeat("x", small))
	l := smallLoad(startServer(t, answer, false), 1)
	l.window = time.Minute
	if _, err := runLoad(t.Context(), l, nil); err == nil {
		t.Error("a connection that was closed went unnoticed")
	}
}

func TestLoadOfNobody(t *testing.T) {
	listener := listen(t, "tcp", "127.0.0.1:0")
	address := listener.Addr().String()
	listener.Close()
	if _, err := runLoad(t.Context(), smallLoad(address, 1), nil); err == nil {
		t.Error("nobody listens")
	}
}

func TestLoadIsInterrupted(t *testing.T) {
	l := smallLoad(startBackend(t, "tcp", "127.0.0.1:0"), 4)
	l.window = time.Hour
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := runLoad(ctx, l, func() error { cancel(why); return nil })
	if !errors.Is(err, why) {
		t.Errorf("error is %v", err)
	}
	failed := errors.New("no clock")
	if _, err := runLoad(t.Context(), l, func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("error is %v", err)
	}
}
