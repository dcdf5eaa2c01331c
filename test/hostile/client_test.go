package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// A client is a connection that says what it likes.
type client struct {
	net.Conn
	r *bufio.Reader
}

// connect opens a connection from a loopback address of the caller's choice, so
// that many do not use up the ports of one. It is the caller's to close.
func connect(address, from string) (*client, error) {
	dialer := net.Dialer{Timeout: harness.DeadMan, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * harness.DeadMan)); err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReader(conn)}, nil
}

// open opens a connection that ends with the test.
func open(t *testing.T, app harness.App) *client {
	t.Helper()
	c, err := connect(app.Address(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send writes as much as the other side takes. That it hangs up is no failure.
func (c *client) send(text string) { _, _ = io.WriteString(c, text) }

// An answer is one as a strict reader sees it. fault is why it is not whole.
type answer struct {
	status int
	header http.Header
	body   string
	fault  error
}

func (a answer) String() string {
	return fmt.Sprintf("%d %v %.100q %v", a.status, a.header, a.body, a.fault)
}

// receive reads the final answer to a request of this method.
func (c *client) receive(method string) answer {
	for {
		r, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			return answer{fault: err}
		}
		body, err := io.ReadAll(r.Body)
		if r.StatusCode >= 200 {
			return answer{r.StatusCode, r.Header, string(body), err}
		}
	}
}

// ask makes a request with these fields, and a body if it is not empty.
func (c *client) ask(method, target, body string, fields ...string) answer {
	head := method + " " + target + " HTTP/1.1\r\nHost: hostile\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	if body != "" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	c.send(head + "\r\n" + body)
	return c.receive(method)
}

// get makes a request on a connection of its own.
func get(t *testing.T, app harness.App, target string, fields ...string) answer {
	t.Helper()
	return open(t, app).ask("GET", target, "", fields...)
}

// serve makes a box with one app, and waits until it serves.
func serve(t *testing.T, change func(*harness.Box, harness.App) harness.App, flags ...string) (*harness.Box, harness.App) {
	t.Helper()
	box := harness.New(t)
	app := box.App("demo", flags...)
	if change != nil {
		app = change(box, app)
	}
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	return box, app
}

// others begins a load of other clients. The function that it returns waits for
// more of it, and ends it; none of its requests may have failed.
func others(t *testing.T, app harness.App) (end func()) {
	t.Helper()
	l, err := load.Start(load.Options{Address: app.Address(), Clients: load.Mix(6), Pause: 5 * time.Millisecond, Patience: harness.DeadMan})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	return func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), harness.DeadMan)
		defer cancel()
		if err := l.Await(ctx, 2); err != nil {
			t.Error(err)
		}
		if report := l.Stop(); report.Failures() > 0 {
			t.Errorf("%d of %d requests of others failed:\n%s", report.Failures(), report.Requests(), report)
		}
	}
}

// awaitNobody waits until the proxy knows of no client any more, and of no
// request in flight.
func awaitNobody(box *harness.Box) {
	box.Await("all clients to be gone", func() bool {
		a := box.Status("demo").Apps[0]
		return a.Connections == 0 && a.InFlight == 0
	})
}

// logged says whether the daemon's log has all of these words in one line.
func logged(box *harness.Box, words ...string) bool {
	for line := range strings.Lines(box.DaemonOutput()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return true
		}
	}
	return false
}
