package proxy

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gracevisor/internal/wire"
)

// logRig is a rig with an access log, and the reader of its pipe.
func logRig(t *testing.T, format string) (*rig, *os.File) {
	t.Helper()
	r := newRig(t, func(a *wire.App) { a.Traffic.AccessLog = format })
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	if err := r.proxy.AddFile("access:demo", write); err != nil {
		t.Fatal(err)
	}
	r.serve(gatedApp(t, "one", nil).addr)
	return r, read
}

const loggedRequest = "GET /a?b=\\ HTTP/1.1\r\nHost: h\r\nUser-Agent: a\"b\xffc\r\nReferer: r\r\n\r\n"

func TestAccessLogJSON(t *testing.T) {
	r, read := logRig(t, "json")
	c := r.dial()
	c.send(loggedRequest + "GET / HTTP/1.1\r\n\r\n")
	c.rest()
	lines := bufio.NewReader(read)
	for _, want := range []map[string]any{
		{"client": "127.0.0.1", "method": "GET", "host": "h", "target": `/a?b=\`, "status": 200.0, "bytes_in": 63.0, "bytes_out": 50.0,
			"instance": "demo/1", "referer": "r", "user_agent": "a\"b\ufffdc"},
		{"client": "127.0.0.1", "method": "", "host": "", "target": "", "status": 400.0, "instance": "", "referer": "", "user_agent": ""},
	} {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s is %v, not %v, in %s", k, got[k], v, line)
			}
		}
	}
}

func TestAccessLogCombined(t *testing.T) {
	r, read := logRig(t, "combined")
	c := r.dial()
	c.send(loggedRequest)
	c.answer()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\?b=\\x5c HTTP/1\.1" 200 \d+ "r" "a\\x22b\\xffc"\n$`)
	if !want.MatchString(line) {
		t.Errorf("got %q", line)
	}
}

// TestAccessLogWithoutAnswer: a request whose client has left is in the log, and
// so is a switch of protocols, as soon as it is made.
func TestAccessLogWithoutAnswer(t *testing.T) {
	r, read := logRig(t, "json")
	r.serve(newBackend(t, func(p *peer) {
		if strings.HasPrefix(p.head(), "GET /ws ") {
			p.send(upgradeAnswer)
		}
		p.rest()
	}).addr)
	for _, k := range []struct{ request, want string }{
		{"GET /silent HTTP/1.1\r\nHost: h\r\n\r\n", `"target":"/silent","status":499,"bytes_in":33,"bytes_out":0,`},
		{upgradeRequest, `"target":"/ws","status":101,`},
	} {
		c := r.dial()
		c.send(k.request)
		eventually(t, "it has begun", func() bool { return r.counters().Instances[1].InFlight == 1 })
		if k.request != upgradeRequest {
			c.Conn.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		line, err := bufio.NewReader(read).ReadString('\n')
		if err != nil || !strings.Contains(line, k.want) || !strings.Contains(line, `"instance":"demo/2"`) {
			t.Errorf("want %s in %s, %v", k.want, line, err)
		}
		c.Close()
		eventually(t, "it has gone", func() bool { return r.counters().Instances[1].InFlight == 0 })
	}
}

// TestAccessLogClient: behind trusted proxies the client is the first address
// from the right that is not one of theirs; on the left of it anybody may have
// written anything.
func TestAccessLogClient(t *testing.T) {
	cases := []struct{ fields, client string }{
		{"", "127.0.0.1"},
		{"X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"},
		{"X-Forwarded-For: 10.1.1.1\r\n", "10.1.1.1"}, // nobody else is named
		{"X-Forwarded-For: 6.6.6.6, 203.0.113.7,10.0.0.1 , 10.2.3.4\r\n", "203.0.113.7"},
		{"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\nx-forwarded-for: 10.0.0.1\r\n", "203.0.113.7"},
		{"X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.1\r\n", "10.0.0.1"},
		{"X-Forwarded-For: 6.6.6.6, , 10.0.0.1\r\n", "10.0.0.1"},
		{"X-Forwarded-For:\r\n", "127.0.0.1"},
		{"X-Forwarded-For: 203.0.113.7:4711\r\n", "203.0.113.7"},
		{"X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1"},
		{"X-Forwarded-For: 6.6.6.6, ::ffff:10.9.9.9, fd00::1%eth0\r\n", "fd00::1"},
		{"X-Forwarded-For: 6.6.6.6, 2001:db8::2, ::ffff:10.9.9.9\r\n", "2001:db8::2"},
	}
	r, read := logRig(t, "json")
	r.app().Traffic.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.0/8"}
	r.apply()
	lines := bufio.NewReader(read)
	for _, k := range cases {
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: h\r\n" + k.fields + "\r\n")
		c.answer()
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, `"client":"`+k.client+`"`) {
			t.Errorf("%q: not %s in %s", k.fields, k.client, line)
		}
	}
}

// TestAccessLogFull: a reader that does not read slows no request; lines are
// dropped, and that is told. A line is never cut.
func TestAccessLogFull(t *testing.T) {
	r, read := logRig(t, "json")
	raw, err := read.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) })
	c := r.dial()
	long := "GET /" + strings.Repeat("x", 1000) + " HTTP/1.1\r\nHost: h\r\nUser-Agent: " + strings.Repeat("\x80", 200) + "\r\n\r\n"
	for range 400 {
		c.send(long)
		if got := c.answer(); got != "one" {
			t.Fatalf("got %q", got)
		}
	}
	eventually(t, "dropping is told", func() bool { return strings.Contains(r.log.String(), "access log lines dropped") })
	lines := bufio.NewReader(read)
	for range 50 {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(line) {
			t.Fatalf("cut: %q", line)
		}
	}
}
