package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// startLoad begins a load, which ends with the test at the latest.
func startLoad(t *testing.T, o load.Options) *load.Load {
	t.Helper()
	l, err := load.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	await(t, func(ctx context.Context) error { return l.AwaitConnected(ctx) })
	return l
}

// awaitRequests waits until each client of the load has completed n requests
// more.
func awaitRequests(t *testing.T, l *load.Load, n int) {
	t.Helper()
	await(t, func(ctx context.Context) error { return l.Await(ctx, n) })
}

func await(t *testing.T, wait func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.DeadMan)
	defer cancel()
	if err := wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// awaitAnswers waits until the process has answered a request of each kind.
func awaitAnswers(box *harness.Box, l *load.Load, pid int) {
	box.Await(fmt.Sprintf("pid %d to answer requests of each kind", pid), func() bool {
		for _, kind := range l.Report().Kinds {
			if kind.PIDs[strconv.Itoa(pid)] == 0 {
				return false
			}
		}
		return true
	})
}

// noFailures ends the load, and fails the test with its report if any request
// of it has failed.
func noFailures(t *testing.T, l *load.Load) *load.Report {
	t.Helper()
	report := l.Stop()
	t.Logf("%d requests, answered by %d processes", report.Requests(), len(report.PIDs()))
	if report.Failures() > 0 || report.Requests() == 0 {
		t.Errorf("%d of %d requests failed:\n%s", report.Failures(), report.Requests(), report)
	}
	return report
}

// answer is a whole answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks an app for a page, on a connection of its own.
func get(t *testing.T, app harness.App, target string) answer {
	t.Helper()
	a, err := ask(t.Context(), app, target, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask asks an app for a page. A name in notify makes the app tell, by an event,
// that the request has come. It may be called from any goroutine.
func ask(ctx context.Context, app harness.App, target, notify string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, harness.DeadMan)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+app.Address()+target, nil)
	if err != nil {
		return answer{}, err
	}
	request.Close = true
	if notify != "" {
		request.Header.Set("X-Notify", notify)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", app.Name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read answer of %s: %w", app.Name, err)
	}
	return answer{response.StatusCode, response.Header, string(body)}, nil
}

// pending is a request under way.
type pending struct {
	t      *testing.T
	result chan result
}

type result struct {
	answer answer
	err    error
}

// begin asks an app for a page, and returns when the request has reached it.
func begin(t *testing.T, box *harness.Box, app harness.App, target string) *pending {
	t.Helper()
	p := &pending{t, make(chan result, 1)}
	name := strconv.FormatInt(time.Now().UnixNano(), 36)
	// Ends with the answer, which ask waits for with a bound.
	go func() {
		a, err := ask(t.Context(), app, target, name)
		p.result <- result{a, err}
	}()
	box.Await("request "+target+" to reach the app", func() bool {
		for _, e := range box.Events("request") {
			if e.Detail == name {
				return true
			}
		}
		return false
	})
	return p
}

// end waits for the answer.
func (p *pending) end() (answer, error) {
	r := <-p.result
	return r.answer, r.err
}

// line is a connection to a TCP app.
type line struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// openLine connects to an app in TCP mode, and ends the connection with the
// test.
func openLine(t *testing.T, app harness.App) *line {
	t.Helper()
	conn, err := net.Dial("tcp", app.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &line{t, conn, bufio.NewReader(conn)}
}

// echo sends a line and returns the process that echoes it, or the error that
// the connection has ended with.
func (l *line) echo(text string) (pid string, err error) {
	if err := l.conn.SetDeadline(time.Now().Add(harness.DeadMan)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(l.conn, text+"\n"); err != nil {
		return "", err
	}
	got, err := l.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	pid, echoed, _ := strings.Cut(strings.TrimSuffix(got, "\n"), " ")
	if echoed != text {
		return "", fmt.Errorf("%q came back as %q", text, echoed)
	}
	return pid, nil
}

// must is an echo that may not fail.
func (l *line) must(text string) string {
	l.t.Helper()
	pid, err := l.echo(text)
	if err != nil {
		l.t.Fatal(err)
	}
	return pid
}
