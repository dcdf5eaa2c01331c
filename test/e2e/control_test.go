package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// guarded is a daemon under load that bad input must not disturb.
type guarded struct {
	*harness.Box
	t    *testing.T
	app  harness.App
	load *load.Load
	pid  int
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	box.Start()
	g := &guarded{Box: box, t: t, app: app, pid: box.AwaitServing("demo")[0].PID}
	g.load = startLoad(t, load.Options{Address: app.Address(), Clients: load.Mix(6), Pause: 10 * time.Millisecond})
	return g
}

// undisturbed says whether the app serves on as it did.
func (g *guarded) undisturbed() {
	g.t.Helper()
	awaitRequests(g.t, g.load, 1)
	noFailures(g.t, g.load)
	if now := g.AwaitServing("demo")[0]; now.PID != g.pid {
		g.t.Errorf("pid %d serves instead of %d", now.PID, g.pid)
	}
}

// TestRefusals goes to the RPC address with everything that it must refuse.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	token := strings.TrimSpace(readFile(t, filepath.Join(g.RunDir, control.TokenFile)))
	huge := strings.Repeat(" ", 10<<20)
	restart := `{"verb": "restart", "apps": ["demo"]}`
	cases := []struct {
		name, token, host, origin, body string
		status                          int
	}{
		{"right", token, "", "", "", 200},
		{"no token", "", "", "", restart, 401},
		{"wrong token", strings.Repeat("0", len(token)), "", "", restart, 401},
		{"foreign host", token, "evil.example", "", restart, 403},
		{"foreign origin", token, "", "http://evil.example", restart, 403},
		{"10 MB", token, "", "", huge, 413},
		{"no JSON", token, "", "", "restart demo", 400},
		{"unknown verb", token, "", "", `{"verb": "explode", "apps": ["demo"]}`, 400},
		{"unknown field", token, "", "", `{"verb": "restart", "app": "demo"}`, 400},
		{"unknown app", token, "", "", `{"verb": "restart", "apps": ["other"]}`, 404},
	}
	for _, c := range cases {
		method, path := http.MethodPost, "/v1/operations"
		if c.body == "" {
			method, path = http.MethodGet, "/v1/status"
		}
		url := fmt.Sprintf("http://127.0.0.1:%d%s", g.RPCPort, path)
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Close = true
		request.Host = c.host
		request.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			request.Header.Set("Authorization", "Bearer "+c.token)
		}
		if c.origin != "" {
			request.Header.Set("Origin", c.origin)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status || c.status != 200 && !strings.Contains(string(body), `"message"`) {
			t.Errorf("%s: status %d instead of %d, and %.200q, %v", c.name, response.StatusCode, c.status, body, err)
		}
	}
	g.undisturbed()
}

// TestHalfRequests leaves requests half sent, on both doors. They are let go,
// and keep nobody from coming in.
func TestHalfRequests(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	doors := map[string]string{
		"unix": filepath.Join(g.RunDir, control.SocketFile),
		"tcp":  net.JoinHostPort("127.0.0.1", strconv.Itoa(g.RPCPort)),
	}
	var conns []net.Conn
	for network, address := range doors {
		for _, half := range []string{
			"", "POST /v1/oper",
			"POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{",
		} {
			conn, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, half); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
	}
	g.Must("status")
	for _, conn := range conns {
		if err := conn.SetReadDeadline(time.Now().Add(harness.DeadMan)); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(conn)
		if err != nil || strings.Contains(string(text), "200 OK") {
			t.Errorf("half a request to %s: %q, %v", conn.RemoteAddr(), text, err)
		}
	}
	g.Must("status")
	g.undisturbed()
}

// TestExitStatuses makes gracevisorctl fail in every way.
func TestExitStatuses(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	token := filepath.Join(g.RunDir, control.TokenFile)
	wrong := g.WriteFile("wrong", "00000000000000000000000000000000\n")
	port := strconv.Itoa(g.RPCPort)
	cases := []struct {
		status int
		says   string
		args   []string
	}{
		{0, "", []string{"status"}},
		{0, "", []string{"status", "demo", "--json"}},
		{0, "", []string{"--port", port, "--token-file", token, "status"}},
		{1, "other", []string{"restart", "other"}},
		{1, "other", []string{"status", "other"}},
		{1, "other", []string{"logs", "other"}},
		{2, "restart", []string{"restart"}},
		{2, "restat", []string{"restat", "demo"}},
		{2, "nonsense", []string{"status", "--nonsense"}},
		{2, "drained", []string{"restart", "demo", "--wait=later"}},
		{3, "", []string{"--socket", filepath.Join(g.Dir, "nobody"), "status"}},
		{3, "", []string{"--port", strconv.Itoa(g.Port()), "--token-file", token, "status"}},
		{4, "token", []string{"--port", port, "--token-file", wrong, "status"}},
		{4, "token", []string{"--port", port, "--token-file", wrong, "restart", "demo"}},
	}
	for _, c := range cases {
		r := g.Ctl(c.args...)
		if r.Status != c.status || !strings.Contains(r.Stderr, c.says) || r.Status != 0 && r.Stderr == "" {
			t.Errorf("gracevisorctl %v: want exit status %d and %q, got %s", c.args, c.status, c.says, r)
		}
	}
	if os.Getuid() == 0 {
		const daemon = 1 // the account of that name
		if r := g.CtlAs(daemon, "status").Wait(); r.Status != 4 {
			t.Errorf("a stranger asks for the status: %s", r)
		}
	}
	g.undisturbed()
}

// TestFollowLogs follows an app's output over a restart.
func TestFollowLogs(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	box.Configure(box.App("demo", "--say=it begins", "--say-error=it warns"))
	box.Start()
	box.AwaitServing("demo")
	box.Await("both lines of the first instance", func() bool {
		return strings.Count(box.Must("logs", "demo", "-n", "2").Stdout, "it ") == 2
	})
	follow := box.CtlStart("logs", "demo", "-f", "-n", "1")
	count := func(text string) int { return strings.Count(follow.Output(), text) }
	box.Await("the last line", func() bool { return count("it ") == 1 })
	box.Must("restart", "demo")
	box.Await("the lines of the next instance", func() bool { return count("it ") == 3 })
	box.Must("stop", "demo")
	box.Must("start", "demo")
	box.Await("the lines of the one after it", func() bool { return count("it begins") >= 2 && count("it warns") >= 2 && count("it ") == 5 })
	follow.Interrupt(os.Interrupt)
	if r := follow.Wait(); r.Status != 130 && r.Status != 0 {
		t.Errorf("an interrupted logs -f: %s", r)
	}
	last := bufio.NewScanner(strings.NewReader(box.Must("logs", "demo", "-n", "2").Stdout))
	lines := 0
	for last.Scan() {
		lines++
	}
	if lines != 2 {
		t.Errorf("logs -n 2 shows %d lines", lines)
	}
}
