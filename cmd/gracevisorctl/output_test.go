package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gracevisor/internal/control"
)

// narrow is a terminal of few columns, or, without, a file.
func narrow(columns int) terminal {
	return terminal{is: columns > 0, size: func() (int, int) { return columns, 10 }}
}

func TestStatusTable(t *testing.T) {
	now := sampleTime.Add(26*time.Hour + 3*time.Minute + 4*time.Second)
	golden(t, "status.txt", statusText(sampleStatus(), false, now, narrow(0)))
	golden(t, "status-narrow.txt", statusText(sampleStatus(), false, now, narrow(110)))
	golden(t, "status-narrower.txt", statusText(sampleStatus(), false, now, narrow(90)))
	golden(t, "status-named.txt", statusText(sampleStatus(), true, now, narrow(0)))
	golden(t, "status-empty.txt", statusText(&control.Status{Version: "1.2.3", PID: 7, Since: now}, true, now, narrow(0)))
	unknown := sampleStatus() // as over D-Bus, or without cgroups
	for i := range unknown.Apps {
		unknown.Apps[i].Counters = nil
		for n := range unknown.Apps[i].Instances {
			unknown.Apps[i].Instances[n].Memory, unknown.Apps[i].Instances[n].CPU = -1, -1
		}
	}
	golden(t, "status-unknown.txt", statusText(unknown, true, now, narrow(0)))
}

func TestQuantile(t *testing.T) {
	bounds := []float64{0.001, 0.0025, 10}
	for _, c := range []struct {
		counts   []uint64
		p50, p99 string
	}{
		{nil, "-", "-"}, {[]uint64{0, 0, 0, 0}, "-", "-"}, {[]uint64{1, 0, 0, 0}, "≤1ms", "≤1ms"}, {[]uint64{50, 49, 1, 0}, "≤1ms", "≤2.5ms"},
		{[]uint64{49, 49, 2, 0}, "≤2.5ms", "≤10s"}, {[]uint64{1, 0, 0, 9}, ">10s", ">10s"}, {[]uint64{99, 0, 0, 1}, "≤1ms", "≤1ms"},
		{[]uint64{1 << 50, 1 << 50, 1 << 50, 0}, "≤2.5ms", "≤10s"},
	} {
		if p50, p99 := quantile(50, c.counts, bounds), quantile(99, c.counts, bounds); p50 != c.p50 || p99 != c.p99 {
			t.Errorf("%v: %s and %s, want %s and %s", c.counts, p50, p99, c.p50, c.p99)
		}
	}
	if got := quantile(50, []uint64{3}, nil); got != "-" { // of a daemon that tells no bounds
		t.Errorf("without bounds: %s", got)
	}
}

func TestMemoryAndCPU(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1K", 1536: "1.5K", 10 << 10: "10K", 1<<20 - 1: "1M", 38 << 20: "38M",
		1<<30 + 1<<29: "1.5G", 1<<64 - 1: "16E",
	} {
		if got := size(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	for microseconds, want := range map[int64]string{
		-1: "-", 0: "-", 41_000: "0.04s", 9_990_000: "9.99s", 12_000_000: "12s", 72_000_000: "1m12s", 100 * 3_600_000_000: "4d4h",
	} {
		if got := cpu(&control.InstanceStatus{CPU: microseconds}); got != want {
			t.Errorf("%d µs: %s, want %s", microseconds, got, want)
		}
	}
}

func TestStatusIsPrinted(t *testing.T) {
	d := newDaemon(t)
	got := d.run(t, "status", "demo")
	if got.status != 0 || got.err != "" {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"*8 serving", " 10 draining", "localhost:7000 (tcp)", "no such file\\x1b[2J"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("lacks %q:\n%s", want, got.out)
		}
	}
}

func TestAge(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m0s", 59*time.Minute + 59*time.Second: "59m59s",
		time.Hour: "1h0m", 23*time.Hour + 59*time.Minute: "23h59m", 24 * time.Hour: "1d0h", 400 * 24 * time.Hour: "400d0h",
	} {
		if got := age(sampleTime.Add(-ago), sampleTime); got != want {
			t.Errorf("%s: %s, want %s", ago, got, want)
		}
	}
	if got := age(time.Time{}, sampleTime); got != "-" {
		t.Errorf("never: %s", got)
	}
}

func TestJSON(t *testing.T) {
	d := newDaemon(t)
	run := func(name string, status int, args ...string) string {
		got := d.run(t, append([]string{"--json"}, args...)...)
		if got.status != status {
			t.Errorf("%s: %+v", name, got)
		}
		if !json.Valid([]byte(got.out)) {
			t.Errorf("%s: no JSON: %s", name, got.out)
		}
		golden(t, name, got.out)
		return got.err
	}
	run("status.json", 0, "status")
	run("sockets.json", 0, "sockets")
	run("workers.json", 0, "workers")
	d.tells(restartEvents()...)
	run("restart.json", 0, "restart", "demo")
	run("no-wait.json", 0, "restart", "demo", "--no-wait")
	d.tells(failEvents()...)
	if text := run("failed.json", exitFailed, "restart", "demo", "web-long-name"); !strings.Contains(text, "exited with status 1") {
		t.Errorf("standard error says %q", text)
	}
	d.tells()
	run("nothing-to-do.json", 0, "update")
	d.fails(control.Error{Code: control.CodeConfigInvalid, Message: "the configuration has a fault", Details: []string{"a.yaml:1:2: x"}})
	run("invalid.json", exitFailed, "update")
	run("invalid-no-wait.json", exitFailed, "update", "--no-wait")
	run("invalid-status.json", exitFailed, "status")
	run("usage.json", exitUsage, "restart")
}

func TestStatusJSONIsThatOfTheAPI(t *testing.T) {
	d := newDaemon(t)
	var got control.Status
	if err := json.Unmarshal([]byte(d.run(t, "status", "--json").out), &got); err != nil {
		t.Fatal(err)
	}
	want := sampleStatus()
	want.Apps[1].Instances = []control.InstanceStatus{}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestSocketsTable(t *testing.T) {
	golden(t, "sockets.txt", newDaemon(t).run(t, "sockets").out)
	golden(t, "workers.txt", newDaemon(t).run(t, "workers").out)
}

func TestVersion(t *testing.T) {
	d := newDaemon(t)
	got := d.run(t, "version")
	if got.status != 0 || !strings.HasPrefix(got.out, "gracevisorctl 1.2.3 (commit 0123abc, go") ||
		!strings.HasSuffix(got.out, "\ngracevisord   1.2.3 (commit 0123abc, go1)\n") {
		t.Errorf("the same: %+v", got)
	}
	d.change(func(a *answers) { a.version.Commit = "fff" })
	if got := d.run(t, "version"); got.status != 0 || !strings.Contains(got.out, "the versions differ") {
		t.Errorf("another: %+v", got)
	}
	var both versions
	if err := json.Unmarshal([]byte(d.run(t, "version", "--json").out), &both); err != nil {
		t.Fatal(err)
	}
	if both.Client.Version != "1.2.3" || both.Daemon == nil || *both.Daemon != d.current().version || both.Error != nil {
		t.Errorf("JSON: %+v", both)
	}
}

func TestPlainProgress(t *testing.T) {
	d := newDaemon(t)
	d.tells(restartEvents()...)
	got := d.run(t, "restart", "demo")
	golden(t, "progress.txt", got.out)
	if got.err != "" {
		t.Errorf("standard error says %q", got.err)
	}
	d.tells(failEvents()...)
	got = d.run(t, "restart", "demo", "web-long-name")
	golden(t, "progress-failed.txt", got.out)
	golden(t, "failed.txt", got.err)
	got = d.run(t, "--no-wait", "restart", "demo", "web")
	if got.out != "restart demo web: begun\n" {
		t.Errorf("--no-wait: %+v", got)
	}
}

func TestLogs(t *testing.T) {
	d := newDaemon(t)
	var asked atomic.Int64
	d.prints(func(n int, follow bool) ([]control.OutputLine, <-chan control.OutputLine, error) {
		asked.Store(int64(n))
		coming := make(chan control.OutputLine, 1)
		coming <- control.OutputLine{Time: sampleTime, Stream: "stdout", Text: "later"}
		close(coming)
		return []control.OutputLine{
			{Time: sampleTime, Instance: 8, Stream: "stderr", Text: "\x1b[31mred\x1b[0m <b>\r"},
			{Time: sampleTime, Stream: "stdout", Text: ""},
		}, coming, nil
	})
	// What is piped on is what the app wrote.
	if got := d.run(t, "logs", "demo"); got.out != "\x1b[31mred\x1b[0m <b>\r\n\n" || got.status != 0 || asked.Load() != 50 {
		t.Errorf("%+v, asked for %d", got, asked.Load())
	}
	if got := d.run(t, "logs", "demo", "-f", "-n", "7"); !strings.HasSuffix(got.out, "\nlater\n") || got.status != 0 || asked.Load() != 7 {
		t.Errorf("%+v, asked for %d", got, asked.Load())
	}
	golden(t, "logs.json", d.run(t, "logs", "demo", "-f", "--json").out)
}

func TestSafe(t *testing.T) {
	for text, want := range map[string]string{
		"plain\twith tab, ünïcödé, 日本": "plain\twith tab, ünïcödé, 日本",
		"\x1b[2J\a\r\n\x7f":            `\x1b[2J\x07\x0d\x0a\x7f`,
		"\u009b31m":                    `\u009b31m`,
		"\u202eevil":                   `\u202eevil`,
		"\xff\xfe":                     `\xff\xfe`,
		"�":                            "�",
		"\U000e0001":                   `\U000e0001`,
	} {
		if got := safe(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := safeLines("a\nb\x1b\n"); got != "a\n  b\\x1b" {
		t.Errorf("lines: %q", got)
	}
}

func TestSafeJSONStaysTheSameValue(t *testing.T) {
	for _, value := range []string{"\u009b31m", "\u202e", "\U000e0001", "\x7f", "ünï", "\x1b"} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		escaped := safeJSON(string(text))
		var back string
		if err := json.Unmarshal([]byte(escaped), &back); err != nil || back != value {
			t.Errorf("%q became %s: %q, %v", value, escaped, back, err)
		}
		if value != "ünï" && strings.Contains(escaped, value) {
			t.Errorf("%q is not escaped: %s", value, escaped)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"json", "jsn", 1}, {"wait", "wiat", 2}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d", c.a, c.b, got)
		}
	}
}
