package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gracevisor/test/harness"
)

// TestResetReused: an app that resets kept-alive connections as the next request
// arrives, before or after it has acted on it. What may be sent twice never
// fails, and what may not is never sent twice (RFC 9110 §9.2.2).
func TestResetReused(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for _, network := range []string{"port", "socket"} {
			t.Run(when+" "+network, func(t *testing.T) {
				t.Parallel()
				checkResetReused(t, when, network)
			})
		}
	}
}

func checkResetReused(t *testing.T, when, network string) {
	var seenFile string
	flags := []string{"--reset-reused=" + when}
	if network == "socket" {
		flags = append(flags, "--socket={socket}")
	}
	box := harness.New(t)
	seenFile = filepath.Join(box.Dir, "seen")
	app := box.App("demo", append(flags, "--seen-file="+seenFile)...)
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")

	const each = 100
	refused := 0
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"} {
		again := method != "POST" && method != "PATCH"
		body := ""
		if method == "PUT" || method == "POST" || method == "PATCH" {
			body = "body"
		}
		c := open(t, app)
		for i := range each {
			a := c.ask(method, "/echo", body, fmt.Sprintf("X-Load-Id: %s-%d", method, i))
			switch {
			case a.status == 200 && a.fault == nil && (method == "HEAD" || a.body == body):
			case !again && a.status == 502 && a.fault == nil:
				refused++
			default:
				t.Fatalf("%s number %d: got %v", method, i, a)
			}
		}
		c.Close()
	}
	text, err := os.ReadFile(seenFile)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for id := range strings.Lines(string(text)) {
		seen[strings.TrimSpace(id)]++
	}
	for id, n := range seen {
		if method, _, _ := strings.Cut(id, "-"); n > 1 && (method == "POST" || method == "PATCH" || n > 2) {
			t.Errorf("%s came %d times", id, n)
		}
	}
	t.Logf("%d of %d requests that may not be sent twice were refused", refused, 2*each)
	awaitRetries(box)
	awaitNobody(box)
}

// awaitRetries waits until the operator can see that requests were sent again.
func awaitRetries(box *harness.Box) {
	box.Await("retries to be counted", func() bool { return box.Status("demo").Apps[0].Counters.Retries > 0 })
}

// TestIdleClosingApp: an app that closes or resets connections as soon as they
// are idle costs no request of any method, as long as the client leaves it the
// time to say so.
func TestIdleClosingApp(t *testing.T) {
	for _, flags := range [][]string{{"--idle-timeout=50ms"}, {"--idle-timeout=50ms", "--idle-reset"}, {"--close-each-answer"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			box, app := serve(t, nil, flags...)
			c := open(t, app)
			for i := range 20 {
				if i%2 == 1 {
					// Not an acknowledgement: the idle connection is to be closed by then.
					time.Sleep(100 * time.Millisecond)
				}
				for _, method := range []string{"POST", "GET"} {
					if a := c.ask(method, "/echo", "body"); a.status != 200 || a.body != "body" {
						t.Fatalf("%s number %d: got %v", method, i, a)
					}
				}
			}
			c.Close()
			awaitNobody(box)
		})
	}
}
