package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hurried shortens the times that a test would otherwise wait for.
func hurried(s *Server) {
	s.bounds.header = 50 * time.Millisecond
	s.bounds.request = 100 * time.Millisecond
}

// networks names both doors, and what a request needs at each.
var networks = map[string]string{
	"unix": "Host: HOST\n",
	"tcp":  "Host: HOST\nAuthorization: Bearer TOKEN\n",
}

func TestLargeBodyIsRefusedUnread(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	for network, header := range networks {
		for _, framing := range []string{"Content-Length: 10000000", "Transfer-Encoding: chunked"} {
			c := d.dial(t, network)
			_, err := io.WriteString(c, crlf(d, "POST /v1/operations HTTP/1.1\n"+header+"Content-Type: application/json\n"+framing+"\n\n"))
			if err != nil {
				t.Fatal(err)
			}
			// The chunked one has to be read up to the bound. What comes after
			// it never does, nor does anything of the other: the answer must
			// not wait for it.
			if strings.HasPrefix(framing, "Transfer") {
				fmt.Fprintf(c, "%x\r\n%s\r\n", maxBody+1, strings.Repeat(" ", maxBody+1))
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", network, framing, err)
			}
			if resp.StatusCode != 413 || !resp.Close {
				t.Errorf("%s, %s: %s", network, framing, resp.Status)
			}
		}
	}
}

// TestLargeBodySentAnyhow: a client that sends all before it reads.
func TestLargeBodySentAnyhow(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	body := strings.NewReader(`{"verb":"` + strings.Repeat("x", 10<<20) + `"}`)
	r, err := http.NewRequest("POST", "http://"+d.host()+"/v1/operations", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := d.tcpClient().http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestBodyAtTheBoundIsTaken(t *testing.T) {
	d := openDoors(t, &fakeOps{start: func(context.Context, Request) (*Operation, error) { return operation(), nil }})
	body := `{"verb":"update"}`
	for size, status := range map[int]int{maxBody: 200, maxBody + 1: 413} {
		resp, answer := d.ask(t, "unix", post(body+strings.Repeat(" ", size-len(body))))
		if resp.StatusCode != status {
			t.Errorf("%d bytes: %s %s", size, resp.Status, answer)
		}
	}
}

func TestLargeHeaderIsRefused(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	for network, header := range networks {
		for size, status := range map[int]int{15 << 10: 200, 17 << 10: 431} {
			resp, _ := d.ask(t, network, "GET /v1/version HTTP/1.1\n"+header+"Connection: close\nX: "+strings.Repeat("x", size)+"\n\n")
			if resp.StatusCode != status {
				t.Errorf("%s, %d bytes: %s", network, size, resp.Status)
			}
		}
	}
}

func TestHalfARequestIsGivenUp(t *testing.T) {
	d := openDoors(t, &fakeOps{}, hurried)
	for network, header := range networks {
		for half, status := range map[string]int{
			"":                     0,
			"GET /v1/status HT":    400,
			"GET / HTTP/1.1\nX: y": 0,
			"POST /v1/operations HTTP/1.1\n" + header + "Content-Type: application/json\nContent-Length: 20\n\n{\"verb\":": 408,
			// What is refused before its body is read need not come whole.
			"POST /v1/status HTTP/1.1\n" + header + "Content-Length: 20\n\n{": 405,
		} {
			c := d.dial(t, network)
			if _, err := io.WriteString(c, crlf(d, half)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			if status != 0 {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("%s, %q: %v", network, half, err)
				}
				if resp.StatusCode != status {
					t.Errorf("%s, %q: %s", network, half, resp.Status)
				}
				if _, err := io.ReadAll(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			if rest, err := io.ReadAll(in); err != nil && !errors.Is(err, errReset) || len(rest) > 0 {
				t.Errorf("%s, %q: %q, %v", network, half, rest, err)
			}
		}
	}
}

func Test200ClientsAtOnce(t *testing.T) {
	d := openDoors(t, &fakeOps{status: func([]string) (*Status, error) { return wholeStatus(), nil }})
	eachDoor(t, d, func(t *testing.T, c *Client) {
		atOnce(t, 200, func() error {
			_, err := c.Status(context.Background())
			return err
		})
	})
}

// TestKeptConnectionsStarveNobody: clients that keep their connections after a
// request make room for those who wait.
func TestKeptConnectionsStarveNobody(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	var keepers []*bufio.Reader
	for range maxConns {
		c := d.dial(t, "unix")
		if _, err := io.WriteString(c, "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		keepers = append(keepers, bufio.NewReader(c))
	}
	atOnce(t, 20, func() error {
		_, err := d.unixClient().Version(context.Background())
		return err
	})
	for _, k := range keepers {
		if resp, err := http.ReadResponse(k, nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("keeper: %v, %v", resp, err)
		}
	}
}

// TestFullDoorLeavesTheOtherOpen: as many silent clients as the TCP door takes.
func TestFullDoorLeavesTheOtherOpen(t *testing.T) {
	d := openDoors(t, &fakeOps{}, func(s *Server) {
		s.bounds.header = deadMan
		s.bounds.request = deadMan
	})
	var silent []net.Conn
	for range maxConns + 1 {
		silent = append(silent, d.dial(t, "tcp"))
	}
	await(t, "the TCP door to be full", func() bool { return len(d.server.tcp.slots) == maxConns })
	if _, err := d.unixClient().Version(context.Background()); err != nil {
		t.Errorf("unix door: %v", err)
	}
	silent[0].Close()
	silent[1].Close()
	if _, err := d.tcpClient().Version(context.Background()); err != nil {
		t.Errorf("tcp door with room again: %v", err)
	}
}

func TestStreamsLeaveRoomForShortRequests(t *testing.T) {
	never := make(chan OutputLine)
	d := openDoors(t, &fakeOps{output: func(context.Context, string, int, bool) ([]OutputLine, <-chan OutputLine, error) {
		return nil, never, nil
	}})
	ctx, leave := context.WithCancel(context.Background())
	var followers sync.WaitGroup
	for range maxStreams {
		// Ended by leave.
		followers.Go(func() {
			_ = d.unixClient().Output(ctx, "demo", 0, true, func(OutputLine) {})
		})
	}
	defer followers.Wait()
	defer leave()
	await(t, "all streams to be taken", func() bool { return len(d.server.unix.streams) == maxStreams })
	err := d.unixClient().Do(context.Background(), Request{Verb: VerbUpdate}, func(Event) {})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeBusy {
		t.Errorf("got %v, want %s", err, CodeBusy)
	}
	atOnce(t, 10, func() error {
		_, err := d.unixClient().Version(context.Background())
		return err
	})
}

// atOnce runs n of f side by side and expects that none fails.
func atOnce(t *testing.T, n int, f func() error) {
	t.Helper()
	start := make(chan struct{})
	errs := make(chan error, n)
	for range n {
		// Ends with f.
		go func() {
			<-start
			errs <- f()
		}()
	}
	close(start)
	for range n {
		if err := receive(t, errs, "a client"); err != nil {
			t.Error(err)
		}
	}
}

// errReset is what reading yields if our own bytes were left unread.
var errReset = syscall.ECONNRESET

func crlf(d *doors, raw string) string {
	return strings.NewReplacer("\n", "\r\n", "TOKEN", testToken, "HOST", d.host()).Replace(raw)
}
