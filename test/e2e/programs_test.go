package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/events"
	"gracevisor/test/harness"
	"gracevisor/test/load"
	"gracevisor/test/unavailable"
)

// program is the path of a program that is not part of Go. Without it the test
// is skipped, or fails where CI=true.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin"} {
		if path := filepath.Join(dir, name); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	unavailable.Tool(t, name+" is not installed (`make deps` installs it)")
	return ""
}

// client is a program under way that makes requests.
type client struct {
	t      *testing.T
	cmd    *exec.Cmd
	input  io.WriteCloser
	output bytes.Buffer
	ended  chan error
}

// run starts a program, which ends with the test at the latest.
func run(t *testing.T, path string, args ...string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.DeadMan)
	c := &client{t: t, cmd: exec.CommandContext(ctx, path, args...), ended: make(chan error, 1)}
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	var err error
	if c.input, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }() // ends with the program
	t.Cleanup(cancel)
	return c
}

// during does something again and again until the program ends, and returns
// what it has written. An exit status other than 0 is a failure.
func (c *client) during(again func()) string {
	c.t.Helper()
	for {
		select {
		case err := <-c.ended:
			if err != nil {
				c.t.Errorf("%v: %v\n%s", c.cmd.Args, err, c.output.String())
			}
			return c.output.String()
		default:
			again()
		}
	}
}

// TestPrograms lets clients that others have written go to apps that others
// have written, over restarts.
func TestPrograms(t *testing.T) {
	t.Parallel()
	ours := func(_ *testing.T, box *harness.Box) harness.App { return box.App("demo", "--exit-at-once") }
	cases := []struct {
		name   string
		client func(*testing.T, string) (*client, func(string) error)
		app    func(*testing.T, *harness.Box) harness.App
	}{
		{"curl", curl, ours}, {"wrk", wrk, ours}, {"h2load", h2load, ours},
		{"wrk to nginx", wrk, nginx}, {"h2load to python", h2load, python},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box := harness.New(t)
			app := c.app(t, box)
			box.Configure(app)
			box.Start()
			box.AwaitServing("demo")
			program, judge := c.client(t, "http://"+app.Address()+"/")
			restarts := 0
			output := program.during(func() {
				box.Must("restart", "demo", "--wait=drained")
				restarts++
			})
			if err := judge(output); err != nil || restarts == 0 {
				t.Errorf("over %d restarts: %v\n%s", restarts, err, output)
			}
		})
	}
}

// nginx makes an app of nginx, which stops gracefully at SIGQUIT.
func nginx(t *testing.T, box *harness.Box) harness.App {
	t.Helper()
	path := program(t, "nginx")
	text, err := os.ReadFile("testdata/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	template := box.WriteFile("nginx.conf", strings.ReplaceAll(string(text), "PREFIX", box.Dir))
	return box.Command("demo", fmt.Sprintf("/bin/sh -c 'sed s/PORT/{port}/ %[1]s >%[1]s-{port} && exec %[2]s -e stderr -p %[3]s -c %[1]s-{port}'",
		template, path, box.Dir)).With("stop_signal", "QUIT")
}

// python makes an app of Python's HTTP server.
func python(t *testing.T, box *harness.Box) harness.App {
	t.Helper()
	script, err := filepath.Abs("testdata/app.py")
	if err != nil {
		t.Fatal(err)
	}
	return box.Command("demo", fmt.Sprintf("%s %s {port}", program(t, "python3"), script))
}

// wrk says nothing of errors if there are none.
func wrk(t *testing.T, url string) (*client, func(string) error) {
	t.Helper()
	return run(t, program(t, "wrk"), "-t", "1", "-c", "8", "-d", "2s", url), func(output string) error {
		if strings.Contains(output, "Socket errors") || strings.Contains(output, "Non-2xx") {
			return fmt.Errorf("wrk had errors")
		}
		return requests(output, `(\d+) requests in`)
	}
}

// h2load speaks HTTP/1.1 here, with requests one after the other.
func h2load(t *testing.T, url string) (*client, func(string) error) {
	t.Helper()
	args := []string{"--h1", "-t", "1", "-c", "8", "-D", "2", "--warm-up-time", "0", url}
	return run(t, program(t, "h2load"), args...), func(output string) error {
		if !strings.Contains(output, " 0 failed, 0 errored, 0 timeout") || !strings.Contains(output, " 0 3xx, 0 4xx, 0 5xx") {
			return fmt.Errorf("h2load had errors")
		}
		return requests(output, `(\d+) succeeded`)
	}
}

// curl makes many requests on one connection. --no-progress-meter and
// --write-out make it tell each status, and --fail-early its first error.
func curl(t *testing.T, url string) (*client, func(string) error) {
	t.Helper()
	const n = 1000
	target := fmt.Sprintf("%s?[1-%d]", url, n)
	args := []string{"--no-progress-meter", "--fail", "--fail-early", "--output", os.DevNull, "--write-out", "%{http_code}\n", target}
	return run(t, program(t, "curl"), args...), func(output string) error {
		if strings.Count(output, "200\n") != n {
			return fmt.Errorf("curl had errors")
		}
		return nil
	}
}

// requests finds the number of requests, which may not be 0, in a report.
func requests(output, pattern string) error {
	found := regexp.MustCompile(pattern).FindStringSubmatch(output)
	if found == nil {
		return fmt.Errorf("no number of requests")
	}
	if n, err := strconv.Atoi(found[1]); err != nil || n == 0 {
		return fmt.Errorf("no requests")
	}
	return nil
}

// TestPythonApp has the strict load go to Python's HTTP server, which ends at
// once when it is told to stop.
func TestPythonApp(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := python(t, box)
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	l := startLoad(t, load.Options{Address: app.Address(), Clients: map[load.Kind]int{load.Get: 4, load.Post: 4}})
	for range 5 {
		box.Must("restart", "demo")
		awaitAnswers(box, l, box.AwaitServing("demo")[0].PID)
	}
	noFailures(t, l)
}

// TestWebSocketLibrary keeps a connection of another's client library over a
// restart.
func TestWebSocketLibrary(t *testing.T) {
	t.Parallel()
	python := program(t, "python3")
	if err := exec.Command(python, "-c", "import websocket").Run(); err != nil {
		unavailable.Tool(t, "python3-websocket is not installed (`make deps` installs it)")
	}
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	box.Start()
	old := box.AwaitServing("demo")[0]
	c := run(t, python, "testdata/wsclient.py", "ws://"+app.Address()+"/ws")
	box.AwaitApp("demo", "have a connection", func(a control.AppStatus) bool { return a.InFlight == 1 })
	box.Must("restart", "demo")
	if err := c.input.Close(); err != nil {
		t.Fatal(err)
	}
	output := c.during(func() { box.Must("status") })
	if want := "done by " + strconv.Itoa(old.PID); !strings.Contains(output, want) {
		t.Errorf("want %q, got %q", want, output)
	}
}

// TestCurlBodies moves bodies slowly, in both directions, over a restart.
func TestCurlBodies(t *testing.T) {
	t.Parallel()
	path := program(t, "curl")
	box := harness.New(t)
	app := box.App("demo", "--exit-at-once")
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	body := box.WriteFile("body", string(load.Pattern(3_000_000)))
	url := "http://" + app.Address()
	common := []string{"--no-progress-meter", "--fail", "--limit-rate", "2M"}
	transfers := map[string][]string{
		"download":        {url + "/blob?size=3000000"},
		"upload":          {"--data-binary", "@" + body, "--header", "Expect: 100-continue", url + "/echo"},
		"chunked upload":  {"--upload-file", body, "--request", "POST", "--header", "Transfer-Encoding: chunked", url + "/echo"},
		"through its end": {"--data-binary", "@" + body, "--header", "Connection: close", url + "/echo"},
	}
	running := make(map[string]*client)
	for name, args := range transfers {
		args = append(append([]string{"--header", "X-Notify: " + name}, common...), args...)
		running[name] = run(t, path, args...)
	}
	for range transfers {
		box.NextEvent(events.Request, "demo")
	}
	for name, c := range running {
		output := c.during(func() { box.Must("restart", "demo") })
		if output != string(load.Pattern(3_000_000)) {
			t.Errorf("%s: %d bytes came, beginning with %.80q", name, len(output), output)
		}
	}
}
