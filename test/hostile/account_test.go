package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// TestStatus: the status tells what went wrong, and where what lasts is in
// flight.
func TestStatus(t *testing.T) {
	t.Parallel()
	box, app := serve(t, func(_ *harness.Box, app harness.App) harness.App { return app.With("answer_timeout", "2s") })
	c := open(t, app)
	wants(t, c.ask("GET", "/", ""), 200)
	wants(t, c.ask("POST", "/echo", strings.Repeat("x", 10_000)), 200)
	wants(t, c.ask("GET", "/nowhere", ""), 404)
	wants(t, c.ask("GET", "/fault?kind=garbage", ""), 502)
	wants(t, c.ask("GET", "/fault?kind=nothing", ""), 502) // after a second try
	wants(t, c.ask("GET", "/slow?ms=600000", ""), 504)
	const requests, answered, failed = 6, 3, 3
	// An answer is counted after its request has left the instance.
	counted := func(a control.AppStatus) bool {
		n, i := a.Counters, harness.Active(a).Counters
		return a.Requests == requests && a.InFlight == 0 && n != nil && i != nil &&
			sum(n.Status[:]) >= requests && sum(i.Status[:]) >= answered && sum(i.Latency) >= answered &&
			i.BytesIn == n.BytesIn && i.BytesOut == n.BytesOut && slices.Equal(i.Latency, n.Latency)
	}
	status := box.AwaitApp("demo", fmt.Sprintf("count %d requests", requests), counted)
	n := status.Counters
	if n.Status != [5]uint64{0, 2, 0, 1, failed} || n.Errors != failed || n.Retries != 1 || n.Held != 0 || n.Holding != 0 {
		t.Errorf("counted %+v", n)
	}
	if status.Connections != 1 || n.BytesIn < 10_000 || n.BytesOut < 10_000 || n.BytesIn > 12_000 || n.BytesOut > 13_000 {
		t.Errorf("counted %d connections, %d bytes in, %d out", status.Connections, n.BytesIn, n.BytesOut)
	}
	// What the proxy answered itself is not the instance's.
	i := harness.Active(status).Counters
	if i.Status != [5]uint64{0, 2, 0, 1, 0} || i.Retries != 1 {
		t.Errorf("counted %+v of the instance, %+v of its app", i, n)
	}
	if sum(n.Latency) > requests || len(n.Latency) != len(n.LatencyBounds)+1 {
		t.Errorf("counted latencies %v of %v", n.Latency, n.LatencyBounds)
	}

	// In flight and upgraded ones count where they are.
	upgraded := open(t, app)
	upgraded.send("GET /ws HTTP/1.1\r\nHost: hostile\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	box.AwaitApp("demo", "have one in flight", func(a control.AppStatus) bool { return a.InFlight == 1 && a.Connections == 2 })
	box.Must("restart", "demo")
	wants(t, c.ask("GET", "/", ""), 200)
	box.AwaitApp("demo", "have it in flight on the old instance", func(a control.AppStatus) bool {
		return len(a.Instances) == 2 && a.InFlight == 1 && a.Requests == requests+2 && harness.Active(a).InFlight == 0 && harness.Active(a).Requests == 1
	})
	upgraded.Close()
	box.AwaitApp("demo", "have only the new instance", func(a control.AppStatus) bool { return len(a.Instances) == 1 && a.InFlight == 0 })
	if out := box.Must("status", "--json").Stdout; !strings.Contains(out, fmt.Sprintf(`"requests": %d`, requests+2)) {
		t.Errorf("status --json says %s", out)
	}
}

func sum(counts []uint64) (all uint64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// logLines are the lines of a file, once there are n of them.
func logLines(t *testing.T, box *harness.Box, path string, n int) []string {
	t.Helper()
	var lines []string
	box.Await(fmt.Sprintf("%d lines in %s", n, filepath.Base(path)), func() bool {
		file, err := os.Open(path)
		if err != nil {
			return false
		}
		defer file.Close()
		lines = nil
		for scan := bufio.NewScanner(file); scan.Scan(); {
			lines = append(lines, scan.Text())
		}
		return len(lines) >= n
	})
	if len(lines) > n {
		t.Errorf("there are %d lines, not %d: %q", len(lines), n, lines)
	}
	return lines
}

// TestAccessLog: a line for each request, in the file and the format that were
// asked for, whatever is restarted meanwhile.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	combinedFile := filepath.Join(box.LogDir, "traffic.log")
	jsonApp := box.App("json").With("access_log", "json")
	combinedApp := box.App("combined").With("access_log", "combined").With("access_log_file", combinedFile)
	silent := box.App("silent")
	box.Configure(jsonApp, combinedApp, silent)
	box.Start()
	box.AwaitServing("json", "combined", "silent")
	apps := []harness.App{jsonApp, combinedApp, silent}
	const rounds = 4
	for round := range rounds {
		for _, app := range apps {
			wants(t, get(t, app, fmt.Sprintf("/echo?round=%d&\\", round), "User-Agent: a\"b", "Referer: here"), 200)
			wants(t, open(t, app).ask("BAD METHOD", "/", ""), 400)
		}
		switch round {
		case 0:
			box.Must("restart", "json", "combined")
		case 1:
			box.Must("reexec")
			box.AwaitServing("json", "combined", "silent")
		case 2:
			box.Must("update") // of nothing
		}
	}
	checkJSON(t, logLines(t, box, filepath.Join(box.LogDir, "access_json.log"), 2*rounds))
	good := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "GET /echo\?round=\d&\\x5c HTTP/1\.1" 200 \d+ "here" "a\\x22b"$`)
	bad := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] " [^"]*" 400 \d+ "-" "-"$`)
	lines := sorted(logLines(t, box, combinedFile, 2*rounds), `"GET `)
	for i, line := range lines {
		if i < rounds && !good.MatchString(line) || i >= rounds && !bad.MatchString(line) {
			t.Errorf("got %s", line)
		}
	}
	if _, err := os.Stat(filepath.Join(box.LogDir, "access_silent.log")); err == nil {
		t.Error("there is an access log that nobody wanted")
	}
}

// sorted has the lines with a word come first: those of two connections may
// overtake each other, because they are written after the answers.
func sorted(lines []string, first string) []string {
	slices.SortStableFunc(lines, func(a, b string) int {
		if x, y := strings.Contains(a, first), strings.Contains(b, first); x != y {
			return map[bool]int{true: -1, false: 1}[x]
		}
		return 0
	})
	return lines
}

func checkJSON(t *testing.T, lines []string) {
	t.Helper()
	for i, line := range sorted(lines, `"GET"`) {
		var entry struct {
			Method, Target, Instance, Referer string
			UserAgent                         string `json:"user_agent"`
			Status                            int
			Microseconds                      int64
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if i >= len(lines)/2 {
			if entry.Status != 400 || entry.Instance != "" {
				t.Errorf("got %s", line)
			}
			continue
		}
		instance := "json/1"
		if i > 0 {
			instance = "json/2"
		}
		if entry.Status != 200 || entry.Method != "GET" || entry.Target != fmt.Sprintf("/echo?round=%d&\\", i) ||
			entry.Instance != instance || entry.Referer != "here" || entry.UserAgent != `a"b` || entry.Microseconds <= 0 {
			t.Errorf("got %s", line)
		}
	}
}
