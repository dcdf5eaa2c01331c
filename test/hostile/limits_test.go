package hostile

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
)

// A limit is a key of an app's configuration, and what who goes beyond it sees.
type limit struct {
	keys  map[string]any
	check func(t *testing.T, box *harness.Box, app harness.App)
}

// wants fails unless the answer is whole and has this status.
func wants(t *testing.T, a answer, status int) {
	t.Helper()
	if a.status != status || a.fault != nil {
		t.Errorf("got %v, want status %d", a, status)
	}
}

// field is a header line of so many bytes.
func field(bytes int) string { return "X: " + strings.Repeat("x", bytes-len("X: \r\n")) }

var limits = map[string]limit{
	"max_header_bytes": {map[string]any{"max_header_bytes": "2K"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, get(t, app, "/", field(1900)), 200)
		wants(t, get(t, app, "/", field(2048)), 431)
	}},
	"max_headers": {map[string]any{"max_headers": 3}, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, get(t, app, "/", "A: 1", "B: 2"), 200)
		wants(t, get(t, app, "/", "A: 1", "B: 2", "C: 3"), 431)
	}},
	"max_body_bytes": {map[string]any{"max_body_bytes": "1K"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, open(t, app).ask("POST", "/echo", strings.Repeat("x", 1024)), 200)
		wants(t, open(t, app).ask("POST", "/echo", strings.Repeat("x", 1025)), 413)
		wants(t, open(t, app).ask("POST", "/echo", strings.Repeat("x", 1<<20)), 413)
		c := open(t, app)
		c.send("POST /echo HTTP/1.1\r\nHost: hostile\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			c.send("200\r\n" + strings.Repeat("x", 0x200) + "\r\n")
		}
		wants(t, c.receive("POST"), 413)
	}},
	"max_answer_header_bytes": {map[string]any{"max_answer_header_bytes": "2M"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		// The app sends no more than that, and hangs up then.
		a := get(t, app, "/fault?kind=huge-head")
		if a.status != 200 || len(a.header.Get("X-Huge")) != 1<<20 {
			t.Errorf("got %d with %d bytes", a.status, len(a.header.Get("X-Huge")))
		}
	}},
	"max_answer_headers": {map[string]any{"max_answer_headers": 10_000, "max_answer_header_bytes": "1M"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		if a := get(t, app, "/fault?kind=many-fields"); a.status != 200 || len(a.header["X-Many"]) != 10_000 {
			t.Errorf("got %d with %d fields", a.status, len(a.header["X-Many"]))
		}
	}},
	"header_timeout": {map[string]any{"header_timeout": "300ms"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		c := open(t, app)
		c.send("GET / HTTP/1.1\r\nHos")
		wants(t, c.receive("GET"), 408)
		if rest, err := io.ReadAll(open(t, app)); len(rest) > 0 || err != nil {
			t.Errorf("a client that says nothing got %q, %v", rest, err)
		}
	}},
	"idle_timeout": {map[string]any{"idle_timeout": "300ms"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		c := open(t, app)
		wants(t, c.ask("GET", "/", ""), 200)
		if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
			t.Errorf("an idle client got %q, %v", rest, err)
		}
	}},
	"answer_timeout": {map[string]any{"answer_timeout": "2s"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, get(t, app, "/slow?ms=600000"), 504)
		wants(t, get(t, app, "/slow?ms=1"), 200)
		// What takes its time after the head is no business of this one.
		wants(t, get(t, app, "/stream?chunks=10&ms=300"), 200)
	}},
	"body_timeout": {map[string]any{"body_timeout": "300ms"}, func(t *testing.T, _ *harness.Box, app harness.App) {
		c := open(t, app)
		c.send("POST /echo HTTP/1.1\r\nHost: hostile\r\nContent-Length: 10\r\n\r\nabc")
		wants(t, c.receive("POST"), 408)
		wants(t, get(t, app, "/stream?chunks=2&ms=900"), 200) // may be silent: who knows when it ends?
	}},
	"max_connections": {map[string]any{"max_connections": 3}, func(t *testing.T, box *harness.Box, app harness.App) {
		in := []*client{open(t, app), open(t, app), open(t, app)}
		for _, c := range in {
			wants(t, c.ask("GET", "/", ""), 200)
		}
		late := open(t, app)
		late.send("GET /?late HTTP/1.1\r\nHost: hostile\r\n\r\n")
		for _, c := range in {
			wants(t, c.ask("GET", "/", ""), 200)
		}
		box.AwaitApp(app.Name, "have served three clients twice, and no other", func(a control.AppStatus) bool {
			return a.Connections == 3 && a.Requests == 6
		})
		in[0].Close()
		wants(t, late.receive("GET"), 200)
	}},
	"trusted_proxies": {map[string]any{"trusted_proxies": []string{"127.0.0.0/24"}}, func(t *testing.T, _ *harness.Box, app harness.App) {
		for from, want := range map[string]string{
			"127.0.0.1": "X-Forwarded-For: 1.1.1.1, 127.0.0.1", "127.0.1.1": "X-Forwarded-For: 127.0.1.1",
		} {
			c, err := connect(app.Address(), from)
			if err != nil {
				t.Fatal(err)
			}
			a := c.ask("GET", "/request", "", "X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1")
			c.Close()
			if !strings.Contains(a.body, want+"\r\n") || strings.Contains(a.body, "Forwarded: for=") != (from == "127.0.0.1") {
				t.Errorf("from %s the app got %q", from, a.body)
			}
		}
	}},
	"via": {map[string]any{"via": true}, func(t *testing.T, _ *harness.Box, app harness.App) {
		a := get(t, app, "/request")
		if !strings.Contains(a.body, "Via: 1.1 gracevisor\r\n") || a.header.Get("Via") != "1.1 gracevisor" {
			t.Errorf("got %v", a)
		}
	}},
	"upgrades": {map[string]any{"upgrades": []string{"chat"}}, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, get(t, app, "/ws", "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 426)
	}},
	"nothing": {nil, func(t *testing.T, _ *harness.Box, app harness.App) {
		wants(t, get(t, app, "/fault?kind=huge-head"), 502)
		wants(t, get(t, app, "/fault?kind=many-fields"), 502)
		wants(t, get(t, app, "/", field(60_000)), 200)
		wants(t, get(t, app, "/", field(66_000)), 431)
		wants(t, open(t, app).ask("POST", "/sink", strings.Repeat("x", 3<<20)), 200)
		a := get(t, app, "/request", "Forwarded: for=1.1.1.1", "X-Forwarded-For: 1.1.1.1", "Proxy: evil")
		for _, line := range []string{"Via:", "Forwarded: for=", "1.1.1.1", "Proxy:"} {
			if strings.Contains(a.body, line) {
				t.Errorf("the app got %s in %q", line, a.body)
			}
		}
	}},
}

// TestLimits: each key of the configuration reaches the worker, and its neighbour
// within the bound is served.
func TestLimits(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	var apps []harness.App
	var names []string
	for key, limit := range limits {
		app := box.App(key)
		for key, value := range limit.keys {
			app = app.With(key, value)
		}
		apps, names = append(apps, app), append(names, key)
	}
	box.Set("parallel_restarts", len(apps))
	box.Configure(apps...)
	box.Start()
	box.AwaitServing(names...)
	for i, name := range names {
		t.Run(name, func(t *testing.T) { limits[name].check(t, box, apps[i]) })
	}
}

// TestLimitOfAll: the bound of all apps together keeps the clients of one waiting
// for those of another.
func TestLimitOfAll(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Set("max_connections", 2)
	one, two := box.App("one"), box.App("two")
	box.Configure(one, two)
	box.Start()
	box.AwaitServing("one", "two")
	first, second := open(t, one), open(t, two)
	wants(t, first.ask("GET", "/", ""), 200)
	wants(t, second.ask("GET", "/", ""), 200)
	late := open(t, two)
	late.send("GET /?late HTTP/1.1\r\nHost: hostile\r\n\r\n")
	wants(t, first.ask("GET", "/", ""), 200)
	wants(t, second.ask("GET", "/", ""), 200)
	box.AwaitApp("two", "have served one client twice, and no other", func(a control.AppStatus) bool { return a.Connections == 1 && a.Requests == 2 })
	first.Close()
	wants(t, late.receive("GET"), 200)
}

// TestHoldLimits: while an app has no instance, so many requests wait and so long;
// the others are told to come again.
func TestHoldLimits(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Set("parallel_restarts", 10)
	never := box.App("never", "--never-listen").With("hold_timeout", "500ms")
	few := box.App("few", "--never-listen").With("hold_timeout", "10m").With("hold_max", 2)
	stopped := box.App("stopped")
	box.Configure(never, few, stopped)
	box.Start()
	box.AwaitServing("stopped")
	box.Must("stop", "stopped")

	unavailable := func(app harness.App, a answer) {
		t.Helper()
		if a.status != 503 || a.header.Get("Retry-After") == "" || a.body != "503 Service Unavailable\n" {
			t.Errorf("%s: got %v", app.Name, a)
		}
	}
	unavailable(never, get(t, never, "/"))
	unavailable(stopped, get(t, stopped, "/"))
	for i := range 2 {
		open(t, few).send("GET / HTTP/1.1\r\nHost: hostile\r\n\r\n")
		box.Await(fmt.Sprintf("%d requests to wait", i+1), func() bool { return box.Status("few").Apps[0].Counters.Holding == i+1 })
	}
	c := open(t, few)
	unavailable(few, c.ask("GET", "/", ""))
	unavailable(few, c.ask("GET", "/", "", "Accept: text/plain")) // on the same connection
}
