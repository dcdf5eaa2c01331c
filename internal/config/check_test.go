package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestRules holds the rules between keys and between apps: what breaks each,
// and the nearest configurations that do not.
func TestRules(t *testing.T) {
	app := func(name, rest string) string { return "- {name: " + name + ", command: './a {port}', " + rest + "}\n" }
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"range of one port", "port_range: {from: 11000}\n", nil},
		{"range reversed by a default", "port_range: {from: 11001}\n", []string{"1:20: port_range: from (11001) is above to (11000)"}},
		{"range reversed by the other default", "port_range: {to: 9999}\n", []string{"1:18: port_range: from (10000) is above"}},
		{"range with a wrong end", "port_range: {from: 11001, to: 0}\n", []string{"1:31: port_range.to: "}},

		{"open RPC", "rpc: {host: 0.0.0.0}\n", []string{"1:13: rpc.host: 0.0.0.0:9001 is not a loopback address"}},
		{"RPC on all addresses", "rpc: {host: ''}\n", []string{"1:13: rpc.host: *:9001 is not"}},
		{"RPC on a name", "rpc: {host: example.com, allow_plaintext: off}\n", []string{"1:13: rpc.host: example.com:9001 is not"}},
		{"open RPC by permission", "rpc: {host: 0.0.0.0, allow_plaintext: true}\n", nil},
		{"open RPC turned off", "rpc: {host: 0.0.0.0, port: 0}\n", nil},
		{"RPC on loopback", "rpc: {host: 127.0.0.2}\n", nil},
		{"RPC on IPv6 loopback", "rpc: {host: '::1'}\n", nil},
		{"RPC on localhost", "rpc: {host: LOCALHOST}\n", nil},

		{"unknown user", "user: {username: ghost}\n", []string{`1:18: user.username: there is no user "ghost"`}},
		{"unknown user of an app", "user: {username: root}\napps:\n" + app("a", "user: {username: ghost}"),
			[]string{`3:53: user.username: there is no user "ghost"`}},
		{"unknown user that apps inherit", "user: {username: ghost}\napps:\n" + app("a", "") + app("b", "external_port: 2"),
			[]string{"1:18: user.username: "}},

		{"no placeholder", "apps: [{name: a, command: ./a port}]\n", []string{"1:27: command: expected {port} (or {socket})"}},
		{"misspelt placeholder", "apps: [{name: a, command: [a, '{prot}']}]\n", []string{"1:27: command: expected {port} (or {socket}) in it or in environment: the app must listen where it is told to; did you mean {port} by {prot}?"}},
		{"misspelt placeholder in a variable", "apps: [{name: a, command: a, environment: ['S={SOCKET}']}]\n", []string{"1:27: command: expected {port} (or {socket}) in it or in environment: the app must listen where it is told to; did you mean {socket} by {SOCKET}?"}},
		{"placeholder in a variable", "apps: [{name: a, command: a, environment: ['P={port}']}]\n", nil},
		{"socket in a variable", "apps: [{name: a, command: a, environment: ['P={socket}']}]\n", nil},
		{"both placeholders", "apps: [{name: a, command: 'a {port}', environment: ['P={socket}']}]\n", []string{"1:27: command: {port} and {socket} exclude"}},
		{"placeholder twice", "apps: [{name: a, command: 'a {port} {port}', environment: ['P={port}']}]\n", nil},

		{"same name", "apps:\n" + app("a", "") + app("a", "external_port: 2"), []string{`3:10: name: duplicate app "a", already defined at gracevisor.yaml:2:10`}},
		{"name in another case", "apps:\n" + app("a", "") + app("A", "external_port: 2"), nil},

		{"default port twice", "apps:\n" + app("a", "") + app("b", ""), []string{"3:10: external address localhost:8080 clashes with localhost:8080 of app \"a\", at gracevisor.yaml:2:10; set external_port, which is 8080 by default"}},
		{"default port written", "apps:\n" + app("a", "") + app("b", "external_port: 8080"), []string{"3:51: external address localhost:8080 clashes with localhost:8080 of app \"a\", at gracevisor.yaml:2:10"}},
		{"port of a merged mapping", "apps:\n- &a {name: a, command: '{port}', external_port: 81}\n- {<<: *a, name: b}\n", []string{"3:18: external address localhost:81 clashes with localhost:81 of app \"a\", at gracevisor.yaml:2:13"}},
		{"three on a port", "apps:\n" + app("a", "") + app("b", "external_port: 8080") + app("c", "external_port: 8080"), []string{"3:51: ", "4:51: external address localhost:8080 clashes with localhost:8080 of app \"a\""}},
		{"other addresses of a port", "apps:\n" + app("a", "external_host: 127.0.0.1") + app("b", "external_host: 127.0.0.2") + app("c", "external_host: '::1'"), nil},
		{"address of a wrong host", "apps:\n" + app("a", "external_host: 'a b'") + app("b", ""), []string{"2:51: external_host: "}},

		{"RPC address", "apps:\n" + app("a", "external_port: 9001"), []string{"2:51: external address localhost:9001 clashes with the RPC server on localhost:9001, at gracevisor.yaml:1:1"}},
		{"RPC address by a wildcard", "rpc: {port: 9002}\napps:\n" + app("a", "external_host: '*', external_port: 9002"), []string{"3:71: external address *:9002 clashes with the RPC server on localhost:9002, at gracevisor.yaml:1:13"}},
		{"RPC address beside", "apps:\n" + app("a", "external_host: 127.0.0.2, external_port: 9001"), nil},
		{"RPC address turned off", "rpc: {port: 0}\napps:\n" + app("a", "external_port: 9001"), nil},

		{"socket and port", "apps:\n" + app("a", "external_socket: a, external_port: 81"), []string{"2:53: external_socket: it stands in place of an address: leave out external_host and external_port, at gracevisor.yaml:2:71"}},
		{"socket and host", "apps:\n" + app("a", "external_host: '*', external_socket: a"), []string{"2:73: external_socket: it stands in place of an address: leave out external_host and external_port, at gracevisor.yaml:2:51"}},
		{"socket and no port", "apps:\n" + app("a", "external_socket: a, external_port: null"), nil},
		{"sockets beside the default port", "apps:\n" + app("a", "external_socket: a") + app("b", "external_socket: b") + app("c", ""), nil},
		{"same socket", "apps:\n" + app("a", "external_socket: run/../s") + app("b", "external_socket: ./s") + app("c", "external_socket: s"), []string{"3:53: external_socket: ", "4:53: external_socket: "}},
		{"socket of a merged mapping", "apps:\n- &a {name: a, command: '{port}', external_socket: /s}\n- {<<: *a, name: b}\n", []string{"3:18: external_socket: \"/s\" is that of app \"a\", at gracevisor.yaml:2:13"}},
		{"socket where a faulty one is", "apps:\n" + app("a", "external_socket: '@s'") + app("b", "external_socket: s") + app("c", ""), []string{"2:53: external_socket: expected the path of a Unix socket: abstract"}},

		{"watchdog without a socket", "apps:\n" + app("a", "watchdog: 10"), []string{"2:46: watchdog: needs ready: notify"}},
		{"watchdog with the other readiness", "apps:\n" + app("a", "ready: probe, watchdog: 10"), []string{"2:60: watchdog: needs ready: notify"}},
		{"watchdog with a wrong readiness", "apps:\n" + app("a", "ready: port, watchdog: 10"), []string{"2:43: ready: expected probe or notify, not \"port\""}},
		{"no watchdog without a socket", "apps:\n" + app("a", "watchdog: none"), nil},
		{"watchdog", "apps:\n" + app("a", "ready: notify, watchdog: 10s"), nil},
		{"socket of its own to notify", "apps:\n" + app("a", "ready: notify, environment: [A=b, NOTIFY_SOCKET=/x, WATCHDOG_USEC=1]"), []string{
			"2:70: environment: NOTIFY_SOCKET is set for the app by ready: notify", "2:88: environment: WATCHDOG_USEC is set"}},
		{"another one's socket to notify", "apps:\n" + app("a", "environment: [NOTIFY_SOCKET=/x]"), nil},

		{"memory in the wrong order", "apps:\n" + app("a", "limits: {memory_high: 501, memory_max: 500M}"), []string{"2:58: limits.memory_high: 501 is above limits.memory_max, \"500M\""}},
		{"memory in order", "apps:\n" + app("a", "limits: {memory_high: 500, memory_max: 500M}"), nil},
		{"memory with one bound", "apps:\n" + app("a", "limits: {memory_high: 500, memory_max: none}"), nil},
		{"memory with a wrong bound", "apps:\n" + app("a", "limits: {memory_high: 500, memory_max: 1K}"), []string{"2:75: limits.memory_max: expected a size"}},

		{"log of the daemon", "logger: {log_file: x/../d.log}\napps:\n" + app("a", "access_log_file: d.log"), []string{`3:53: access_log_file: "d.log" is the log file of the daemon`}},
		{"log of another app", "apps:\n" + app("a", "logger: {log_file: a.log}") + app("b", "external_port: 2, logger: {log_file: a.log}"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := loadText(t, c.text)
			for i := range c.want {
				c.want[i] = "gracevisor.yaml:" + c.want[i]
			}
			wantFaults(t, faults, c.want...)
		})
	}
}

// TestPortsInRangeAreWarnings: such a configuration is valid and told about.
func TestPortsInRangeAreWarnings(t *testing.T) {
	plan, faults := loadText(t, "rpc: {port: 10500}\napps: [{name: a, command: 'a {port}', external_port: 11000},\n"+
		"{name: b, command: 'b {port}', external_port: 11001}]\n")
	wantFaults(t, faults)
	wantFaults(t, plan.Warnings,
		"gracevisor.yaml:1:13: rpc.port: 10500 lies within port_range",
		"gracevisor.yaml:2:54: external_port: 11000 lies within port_range (10000 to 11000)")
}

// TestFaultsKeepSecrets: no fault repeats what a command or a variable says.
func TestFaultsKeepSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"command: ./a --password=" + secret + "\n  environment: []",
		"command: ./a 'hunter2 {port}",
		"command: [./a, [" + secret + "]]",
		"command: ./a {port}\n  environment: [" + secret + "]",
		"command: ./a {port}\n  environment: [A=" + secret + ", A=" + secret + "]",
		"command: ./a {port}\n  environment: [1A=" + secret + "]",
		"command: ./a {port}\n  environment:\n  - A: " + secret,
		"command: ./a {port}\n  environment:\n  - A={port} " + secret + "\n    B: c",
		"command: ./a {port}\n  environment: {A: " + secret + "}",
	} {
		_, faults := loadText(t, "apps:\n- name: a\n  "+text+"\n")
		if len(faults) == 0 {
			t.Errorf("%q is accepted", text)
		}
		if lines := strings.Join(faults.Lines(), "\n"); strings.Contains(lines, secret) {
			t.Errorf("%q is told as %s", text, lines)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"localhost", "127.0.0.1", true}, {"localhost", "::1", true}, {"LocalHost.", "localhost", true},
		{"localhost", "127.0.0.2", false}, {"127.0.0.1", "::1", false}, {"127.0.0.1", "::ffff:127.0.0.1", true},
		{"", "127.0.0.1", true}, {"", "example.com", true}, {"0.0.0.0", "::1", true}, {"::", "10.0.0.1", true},
		{"::ffff:0.0.0.0", "10.0.0.1", true}, {"example.com", "EXAMPLE.COM.", true}, {"example.com", "example.org", false},
		{"example.com", "127.0.0.1", false}, {"fe80::1%a", "fe80::1%b", false}, {"::1", "0:0:0:0:0:0:0:1", true},
	} {
		a, b := Address{c.a, 80}, Address{c.b, 80}
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s overlap: %v, %v, want %v", a, b, a.Overlaps(b), b.Overlaps(a), c.want)
		}
		if other := (Address{c.b, 81}); a.Overlaps(other) {
			t.Errorf("%s and %s overlap", a, other)
		}
	}
	for host, want := range map[string]struct {
		text     string
		loopback bool
	}{
		"": {"*:80", false}, "::1": {"[::1]:80", true}, "127.1.2.3": {"127.1.2.3:80", true}, "localhost": {"localhost:80", true},
		"0.0.0.0": {"0.0.0.0:80", false}, "example.com": {"example.com:80", false}, "::ffff:127.0.0.1": {"[::ffff:127.0.0.1]:80", true},
	} {
		a := Address{host, 80}
		if a.String() != want.text || a.Loopback() != want.loopback {
			t.Errorf("%q: %s, loopback %v", host, a, a.Loopback())
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"stop_timeout", "start_timeout", "name", "command"}
	for word, want := range map[string]string{
		"stop-timeout": "stop_timeout", "stop_timeuot": "stop_timeout", "START_TIMEOUT": "start_timeout", "strat_timeout": "start_timeout",
		"nmae": "name", "names": "name", "comand": "command", "cmd": "", "x": "", "": "", "timeout": "",
		strings.Repeat("name", 100): "",
	} {
		if got, _ := nearest(word, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"abc", "abc"}: 0, {"abc", "acb"}: 1, {"abc", "xbc"}: 1, {"ab", "ba"}: 1, {"abcd", "bc"}: 2,
	} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("distance of %q: %d, want %d", pair, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		valid            bool
	}{
		{"faults", "prot: 1\nrpc: 5\n", "gracevisor.yaml:1:1: unknown key \"prot\"; expected port_range, rpc, logger, user, apps_include, apps, parallel_restarts, shutdown_timeout, ready_timeout, max_connections, max_workers or worker_drain_timeout\n" +
			"gracevisor.yaml:2:6: rpc: expected a mapping with the keys host, port and allow_plaintext, not 5\n" +
			"configuration is not valid: 2 faults\n", false},
		{"fault", "- a\n", "gracevisor.yaml:1:1: expected a mapping of keys to values, not a list\nconfiguration is not valid: 1 fault\n", false},
		{"empty", "", "configuration is valid: 0 apps\n", true},
		{"app", "apps: [{name: a, command: 'a {port}'}]", "configuration is valid: 1 app\n", true},
		{"warning", "rpc: {port: 10000}", "gracevisor.yaml:1:13: warning: rpc.port: 10000 lies within port_range\nconfiguration is valid: 0 apps\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(write(t, map[string]string{FileName: c.text}))
			var b strings.Builder
			if valid := Check(&b, "."); valid != c.valid || b.String() != c.want {
				t.Errorf("valid %v, report:\n%s", valid, b.String())
			}
		})
	}
	var b strings.Builder
	if report(&b, nil, fmt.Errorf("no working directory")) || b.String() != "configuration cannot be checked: no working directory\n" {
		t.Errorf("report %q", b.String())
	}
}
