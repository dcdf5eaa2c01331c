package main

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gracevisor/internal/control"
)

func TestUsage(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "a command is needed"},
		{[]string{"restrat"}, `unknown command "restrat"` + "\ndid you mean restart?"},
		{[]string{"nonsense", "demo"}, `unknown command "nonsense"`},
		{[]string{"status", "--jsn"}, "unknown flag: --jsn\ndid you mean --json?"},
		{[]string{"restart", "demo", "--wiat=drained"}, "did you mean --wait?"},
		{[]string{"logs", "demo", "-x"}, "unknown shorthand flag: 'x'"},
		{[]string{"start"}, "needs the name of an app"},
		{[]string{"restart"}, "needs the name of an app"},
		{[]string{"stop"}, "needs the name of an app"},
		{[]string{"kill"}, "needs the name of an app"},
		{[]string{"stop", ""}, "is empty"},
		{[]string{"update", "demo"}, "takes no arguments"},
		{[]string{"reexec", "demo"}, "takes no arguments"},
		{[]string{"sockets", "demo"}, "takes no arguments"},
		{[]string{"version", "demo"}, "takes no arguments"},
		{[]string{"logs"}, "needs the name of one app"},
		{[]string{"logs", "a", "b"}, "needs the name of one app"},
		{[]string{"logs", "demo", "-n", "-1"}, "0 to 10000"},
		{[]string{"logs", "demo", "-n", "10001"}, "0 to 10000"},
		{[]string{"logs", "demo", "-n", "many"}, "invalid argument"},
		{[]string{"kill", "demo", "--signal", "NONE"}, `"NONE" is no signal`},
		{[]string{"kill", "demo", "--signal", "0"}, "is no signal"},
		{[]string{"kill", "demo", "--signal", "65"}, "is no signal"},
		{[]string{"restart", "demo", "--wait=never"}, "switched or drained"},
		{[]string{"restart", "demo", "--wait=drained", "--no-wait"}, "exclude each other"},
		{[]string{"--socket", "/s", "--host", "localhost", "status"}, "exclude each other"},
		{[]string{"--port", "70000", "--token-file", "/t", "status"}, "1 to 65535"},
		{[]string{"--port", "-1", "--token-file", "/t", "status"}, "1 to 65535"},
		{[]string{"--host", "localhost", "status"}, "needs a token"},
		{[]string{"--token-file", "/t", "status"}, "--host or --port"},
		{[]string{"--host", "localhost", "--token-file", "/no/such/file", "status"}, "no such file"},
		{[]string{"--host", "localhost", "--token-file", "/dev/null", "status"}, "a token has"},
	} {
		got := d.run(t, c.args...)
		if got.status != exitUsage || got.out != "" || !strings.Contains(got.err, c.says) || !strings.Contains(got.err, "--help") {
			t.Errorf("%q: %+v, want %q", c.args, got, c.says)
		}
	}
	if len(d.asked) > 0 {
		t.Errorf("the daemon was asked for %+v", d.asked)
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	d := newDaemon(t)
	for _, name := range strings.Fields("status start restart reload update stop kill reexec logs sockets workers version") {
		got := d.run(t, name, "--help")
		if got.status != exitDone || !strings.Contains(got.out, "gracevisorctl "+name) || !strings.Contains(got.out, "Examples:") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := d.run(t, "--version"); got.status != 0 || !strings.HasPrefix(got.out, "gracevisorctl 1.2.3 (commit 0123abc, ") {
		t.Errorf("--version: %+v", got)
	}
}

func TestErrorsOfTheDaemon(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		err    control.Error
		status int
	}{
		{control.Error{Code: control.CodeNoSuchApp, Message: `no such app: "dmo"`}, exitFailed},
		{control.Error{Code: control.CodeConfigInvalid, Message: "the configuration has 2 faults", Details: []string{"a.yaml:1:2: x", "a.yaml:3:4: \x1b[0my"}}, exitFailed},
		{control.Error{Code: control.CodeStopping, Message: "the daemon is stopping"}, exitFailed},
		{control.Error{Code: control.CodeUnsupported, Message: "not supported"}, exitFailed},
		{control.Error{Code: control.CodeInternal, Message: "broken\nin two lines"}, exitFailed},
		{control.Error{Code: control.CodeBadRequest, Message: "what?"}, exitUsage},
		{control.Error{Code: control.CodeNotPermitted, Message: "you may not"}, exitNotPermitted},
	} {
		d.fails(c.err)
		for _, args := range [][]string{{"status"}, {"restart", "dmo"}, {"--no-wait", "restart", "dmo"}, {"logs", "dmo"}} {
			got := d.run(t, args...)
			first, _, _ := strings.Cut(c.err.Message, "\n")
			if got.status != c.status || got.out != "" || !strings.HasPrefix(got.err, "gracevisorctl: "+first+"\n") {
				t.Errorf("%s, %q: %+v", c.err.Code, args, got)
			}
			if c.err.Details != nil && !strings.Contains(got.err, "\n  a.yaml:1:2: x\n  a.yaml:3:4: \\x1b[0my\n") {
				t.Errorf("details: %s", got.err)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	d := newDaemon(t)
	d.close(t)
	for _, args := range [][]string{
		{"status"}, {"restart", "demo"}, {"update", "--no-wait"}, {"logs", "demo"}, {"sockets"}, {"reexec"},
		{"--socket", "/no/such/socket", "status"},
		{"--port", strconv.Itoa(d.port), "--token-file", d.tokenFile(), "status"},
	} {
		got := d.run(t, args...)
		if got.status != exitUnreachable || got.out != "" || !strings.Contains(got.err, "cannot be reached at") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	got := d.run(t, "version")
	if got.status != exitUnreachable || !strings.HasPrefix(got.out, "gracevisorctl 1.2.3 ") {
		t.Errorf("version: %+v", got)
	}
	got = d.run(t, "--json", "status")
	if got.status != exitUnreachable || !strings.Contains(got.out, `"code": "unreachable"`) {
		t.Errorf("--json: %+v", got)
	}
}

func TestTCPDoor(t *testing.T) {
	d := newDaemon(t)
	port := strconv.Itoa(d.port)
	wrong := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(wrong, []byte(strings.Repeat("x", 30)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		env    string
		status int
	}{
		{[]string{"--host", "127.0.0.1", "--port", port, "--token-file", d.tokenFile()}, "", exitDone},
		{[]string{"--port", port, "--token-file", d.tokenFile()}, "", exitDone},
		{[]string{"--port", port}, d.tokenFile(), exitDone},
		{[]string{"--port", port, "--token-file", d.tokenFile()}, wrong, exitDone},
		{[]string{"--port", port, "--token-file", wrong}, d.tokenFile(), exitNotPermitted},
	} {
		cmd := d.command(context.Background(), append(c.args, "sockets")...)
		cmd.Env = append(cmd.Env, "GRACEVISOR_TOKEN_FILE="+c.env, "http_proxy=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")
		if got := finish(t, cmd); got.status != c.status {
			t.Errorf("%q with %q: %+v", c.args, c.env, got)
		}
	}
}

func TestOtherUserIsNotPermitted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	d := newDaemon(t)
	for dir := d.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	asNobody := func(args ...string) result {
		cmd := d.command(context.Background(), args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return finish(t, cmd)
	}
	if got := asNobody("status"); got.status != exitNotPermitted || !strings.Contains(got.err, "permission denied") {
		t.Errorf("by the socket's mode: %+v", got)
	}
	if got := asNobody("--port", strconv.Itoa(d.port), "--token-file", d.tokenFile(), "status"); got.status != exitNotPermitted {
		t.Errorf("by the token's mode: %+v", got)
	}
	if err := os.Chmod(d.socket(), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := asNobody("status"); got.status != exitNotPermitted || !strings.Contains(got.err, "uid 65534 may not") {
		t.Errorf("by its credentials: %+v", got)
	}
}

func TestRequestsOfTheCommands(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		args []string
		want control.Request
	}{
		{[]string{"start", "a", "b"}, control.Request{Verb: control.VerbStart, Apps: []string{"a", "b"}}},
		{[]string{"restart", "a", "a"}, control.Request{Verb: control.VerbRestart, Apps: []string{"a"}}},
		{[]string{"restart", "a", "--wait=drained"}, control.Request{Verb: control.VerbRestart, Apps: []string{"a"}, Drained: true}},
		{[]string{"restart", "a", "--wait", "switched"}, control.Request{Verb: control.VerbRestart, Apps: []string{"a"}}},
		{[]string{"reload"}, control.Request{Verb: control.VerbReload}},
		{[]string{"reload", "a"}, control.Request{Verb: control.VerbReload, Apps: []string{"a"}}},
		{[]string{"update"}, control.Request{Verb: control.VerbUpdate}},
		{[]string{"stop", "--", "-a"}, control.Request{Verb: control.VerbStop, Apps: []string{"-a"}}},
		{[]string{"kill", "a"}, control.Request{Verb: control.VerbKill, Apps: []string{"a"}, Signal: 9}},
		{[]string{"kill", "a", "--signal", "HUP"}, control.Request{Verb: control.VerbKill, Apps: []string{"a"}, Signal: 1}},
		{[]string{"kill", "a", "--signal=SIGHUP"}, control.Request{Verb: control.VerbKill, Apps: []string{"a"}, Signal: 1}},
		{[]string{"kill", "a", "-s", "usr1"}, control.Request{Verb: control.VerbKill, Apps: []string{"a"}, Signal: 10}},
		{[]string{"kill", "a", "-s", "64"}, control.Request{Verb: control.VerbKill, Apps: []string{"a"}, Signal: 64}},
	} {
		var events []control.Event
		for _, app := range c.want.Apps {
			events = append(events, control.Event{Kind: control.EventResult, App: app, Result: control.ResultDone})
		}
		d.tells(events...)
		for _, wait := range []string{"--no-wait=false", "--no-wait"} {
			if wait == "--no-wait" && (c.want.Drained || len(c.args) == 4) {
				continue
			}
			got := d.run(t, append([]string{wait}, c.args...)...)
			if got.status != exitDone || !reflect.DeepEqual(d.lastAsked(), c.want) {
				t.Errorf("%s %q: %+v, asked for %+v", wait, c.args, got, d.lastAsked())
			}
		}
	}
}

func TestResultsThatAreFailures(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		name   string
		events []control.Event
		status int
		says   string
	}{
		{"done", []control.Event{{Kind: control.EventResult, App: "demo", Result: control.ResultDone}}, exitDone, ""},
		{"unchanged", []control.Event{{Kind: control.EventResult, App: "demo", Result: control.ResultUnchanged}}, exitDone, ""},
		{"failed", []control.Event{{Kind: control.EventResult, App: "demo", Result: control.ResultFailed, Error: "why"}}, exitFailed, "restart demo: failed: why\n"},
		{"superseded", []control.Event{{Kind: control.EventResult, App: "demo", Result: control.ResultSuperseded}}, exitFailed, "restart demo: superseded\n"},
		{"canceled", []control.Event{{Kind: control.EventResult, App: "demo", Result: control.ResultCanceled}}, exitFailed, "restart demo: canceled\n"},
		{"none", nil, exitFailed, "restart demo: without a result\n"},
		{"another's", []control.Event{{Kind: control.EventResult, App: "web", Result: control.ResultDone}}, exitFailed, "restart demo: without a result\n"},
		{"the daemon's own", []control.Event{
			{Kind: control.EventResult, App: "demo", Result: control.ResultDone},
			{Kind: control.EventResult, Result: control.ResultFailed, Error: "rpc: port in use"},
		}, exitFailed, "restart gracevisord: failed: rpc: port in use\n"},
	} {
		d.tells(c.events...)
		got := d.run(t, "restart", "demo")
		if got.status != c.status || !strings.HasSuffix(got.err, c.says) || (c.says == "") != (got.err == "") {
			t.Errorf("%s: %+v, want %d, %q", c.name, got, c.status, c.says)
		}
	}
}

func TestResultThatCannotBePrinted(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	d := newDaemon(t)
	cmd := d.command(context.Background(), "status")
	var errOut strings.Builder
	cmd.Stdout, cmd.Stderr = full, &errOut
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(errOut.String(), "no space left") {
		t.Errorf("exit status %d, %s", cmd.ProcessState.ExitCode(), errOut.String())
	}
}

func TestAppsAreCompleted(t *testing.T) {
	d := newDaemon(t)
	got := d.run(t, "__complete", "restart", "demo", "")
	if got.status != 0 || !strings.HasPrefix(got.out, "echo\tfailed\nweb\tstarting\n:4\n") {
		t.Errorf("%+v", got)
	}
	d.close(t)
	if got := d.run(t, "__complete", "restart", ""); got.status != 0 || !strings.HasPrefix(got.out, ":4\n") {
		t.Errorf("without a daemon: %+v", got)
	}
}
