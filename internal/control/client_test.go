package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering is a server that answers every connection with answer and hangs
// up, or, with hold, keeps it open until the test ends.
func answering(t *testing.T, answer string, hold bool) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(end)
		l.Close()
		<-ended
	})
	// Ends when l is closed.
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, answer)
			if hold {
				<-end
			}
			c.Close()
		}
	}()
	return NewUnixClient(path)
}

const okHeader = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	for name, c := range map[string]struct {
		client *Client
		says   string
	}{
		"no socket":                  {NewUnixClient(filepath.Join(dir, "none")), "no such file"},
		"no directory":               {NewUnixClient(filepath.Join(dir, "none", "s")), "no such file"},
		"stale socket":               {NewUnixClient(stale), "connection refused"},
		"refused port":               {NewTCPClient("127.0.0.1", port, testToken), "connection refused"},
		"lost before the first byte": {answering(t, "", false), "without an answer"},
		"not a daemon":               {answering(t, "220 mail ready\r\n", false), "malformed"},
	} {
		errs := map[string]error{
			"do": c.client.Do(context.Background(), Request{Verb: VerbUpdate}, func(Event) {}),
		}
		_, errs["status"] = c.client.Status(context.Background())
		for call, err := range errs {
			unreached, ok := errors.AsType[*UnreachableError](err)
			if !ok || unreached.Target != c.client.target || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
}

func TestLostInTheMiddle(t *testing.T) {
	event := `{"kind":"step","message":"x"}` + "\n"
	for name, answer := range map[string]string{
		"after an event":      okHeader + chunk(event),
		"inside an event":     okHeader + chunk(event) + chunk(event[:9]),
		"unfinished line":     okHeader + chunk(event) + chunk(event[:9]) + "0\r\n\r\n",
		"no JSON":             okHeader + chunk(event) + chunk("what?\n") + "0\r\n\r\n",
		"inside a chunk":      okHeader + chunk(event) + "40\r\n{",
		"inside a known size": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + event,
	} {
		var got int
		err := answering(t, answer, false).Do(context.Background(), Request{Verb: VerbUpdate}, func(Event) { got++ })
		if _, ok := errors.AsType[*LostError](err); !ok || got != 1 {
			t.Errorf("%s: %v after %d events", name, err, got)
		}
	}
	_, err := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", false).Status(context.Background())
	if _, ok := errors.AsType[*LostError](err); !ok {
		t.Errorf("status: %v", err)
	}
}

func TestUnknownFieldsAndKindsAreTolerated(t *testing.T) {
	answer := okHeader + chunk("\n"+`{"kind":"of-tomorrow","colour":3}`+"\n\n") + "0\r\n\r\n"
	var got []Event
	err := answering(t, answer, false).Do(context.Background(), Request{Verb: VerbUpdate}, func(e Event) { got = append(got, e) })
	if err != nil || len(got) != 1 || got[0].Kind != "of-tomorrow" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSilentDaemonIsLost(t *testing.T) {
	c := answering(t, okHeader, true)
	c.silence = 20 * time.Millisecond
	err := c.Output(context.Background(), "demo", 1, true, func(OutputLine) {})
	if _, ok := errors.AsType[*LostError](err); !ok || !errors.Is(err, errSilent) {
		t.Errorf("got %v", err)
	}
}

func TestClientLeavesWhenItsContextEnds(t *testing.T) {
	leaving := errors.New("leaving")
	ctx, cancel := context.WithCancelCause(context.Background())
	c := answering(t, okHeader+chunk(`{"kind":"step"}`+"\n"), true)
	err := c.Do(ctx, Request{Verb: VerbUpdate}, func(Event) { cancel(leaving) })
	if !errors.Is(err, leaving) {
		t.Errorf("got %v", err)
	}
}

// TestRedirectIsNotFollowed: the token goes nowhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	_, err := answering(t, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false).Version(context.Background())
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Message, "302") {
		t.Errorf("got %v", err)
	}
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	for answer, want := range map[string]Code{
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n":        CodeNotPermitted,
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno":         CodeNotPermitted,
		"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}":       CodeInternal,
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n\x1b[2Jx": CodeInternal,
	} {
		_, err := answering(t, answer, false).Version(context.Background())
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != want || strings.Contains(e.Message, "\x1b") {
			t.Errorf("%q: %#v", answer, err)
		}
	}
}

func TestEachLine(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	var got []string
	err := eachLine(strings.NewReader("a\n\nb\r\n"+long+"\n"), func(line []byte) error {
		got = append(got, string(line))
		return nil
	})
	if err != nil || strings.Join(got, "|") != "a||b|"+long {
		t.Errorf("%d lines, %v", len(got), err)
	}
	if err := eachLine(strings.NewReader("a\nb"), func([]byte) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// TestLineWithoutEnd: a stream that never ends a line is given up.
func TestLineWithoutEnd(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(strings.Repeat("x", maxAnswer)), strings.NewReader(strings.Repeat("x", 1<<20)))
	if err := eachLine(endless, func([]byte) error { return nil }); !errors.Is(err, errTooLong) {
		t.Errorf("got %v", err)
	}
}
