package config

import (
	"strings"
	"testing"
)

// TestSyntaxFaults holds where faults of syntax are told, which the YAML parser
// knows vaguely or not at all, and the legal neighbour of each.
func TestSyntaxFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want, legal string }{
		{"list without end", "apps: [a,\nrpc: 1\n", "1:1: the list in [ ] has no end", "apps_include: []"},
		{"mapping without end", "{rpc: {port: 1}", "1:1: the mapping in { } has no end", "{rpc: {port: 1}}"},
		{"braces without quotes", "apps:\n- {name: a, command: ./a {port}}", "2:1: the mapping in { } has no end",
			"apps:\n- {name: a, command: './a {port}'}"},
		{"no colon", "port_range:\n  from: 1\n  to 2\nrpc:\n", "3:3: expected ':' and a value", "port_range:\n  from: 1\n  to: 2\nrpc:\n"},
		{"outdented key", "apps:\n  - name: a\n   command: './a {port}'\n", "3:4: expected an item of the list",
			"apps:\n  - name: a\n    command: './a {port}'\n"},
		{"text after quotes", "logger:\n  log_dir: \"abc\" def\nrpc:\n", "2:3: expected a key", "logger:\n  log_dir: \"abc def\"\nrpc:\n"},
		{"quote without end", "rpc:\n  port: 1\n  host: 'abc\nlogger:\n", "3:3: the quoted text that begins here has no end",
			"rpc:\n  port: 1\n  host: '::1'\nlogger:\n"},
		{"tab", "rpc:\n\tport: 1\n", "2:1: indented with a tab", "rpc:\n  port:\t1\n"},
		{"tab in text", "rpc:\n  host: a\n  \tport: 1\n", "3:3: indented with a tab", "rpc:\n  host: '::1'\n  port: 1\n"},
		{"two colons", "logger:\n  log_dir: a: b\n", "2:13: unexpected ':'", "logger:\n  log_dir: 'a: b'\n"},
		{"indented", "rpc:\n  host: localhost\n    port: 1\n", "3:9: unexpected ':'", "rpc:\n  host: localhost\n  port: 1\n"},
		{"unknown alias", "# *x\nrpc:\n  port: *x\n", "3:9: unknown alias *x: ", "rpc:\n  port: &x 1\nshutdown_timeout: *x\n"},
		{"at sign", "user:\n  username: @root\n", "2:13: unexpected '@'", "user:\n  username: root\n"},
		{"percent", "logger: {log_dir: %h}\n", "1:19: unexpected '%'", "logger: {log_dir: '%h'}\n"},
		{"item in mapping", "rpc:\n- a\nuser:\n  username: root\n- b\n", "5:1: expected a key", "rpc:\nuser:\n  username: root\n"},
		{"bad escape", "logger:\n  log_dir: \"\\q\"\n", "2:3: not valid YAML: found unknown escape", "logger:\n  log_dir: \"\\x71\"\n"},
		{"directive twice", "%YAML 1.1\n%YAML 1.1\n---\n", "2:1: duplicate %YAML", "%YAML 1.1\n---\n"},
		{"tag handle", "rpc: !h!x {}\n", "1:1: unknown YAML tag", "rpc: !!map {}\n"},
		{"control character", "rpc:\n  # é\x01\n", "2:6: the character U+0001", "rpc:\n  # é\n"},
		{"not UTF-8", "rpc:\n  # é\xff\n", "2:6: the file is not UTF-8: unexpected byte 0xff", "rpc:\n  # é\u00ff\n"},
		{"UTF-16", "\xff\xfea\x00", "1:1: the file is not UTF-8", "\ufeffrpc: {}"},
		{"byte order mark within", "rpc: {}\n\ufeff\n", "2:1: the character U+FEFF", "\ufeffrpc: {}\n"},
		{"two documents", "rpc: {}\n---\nrpc: {}\n", "2:1: expected one YAML document", "---\nrpc: {}\n...\n"},
		{"broken second document", "rpc: {}\n---\nrpc: [1\n", "3:1: the list in [ ] has no end", "---\nrpc: {}\n"},
		{"text", "just text\n", "1:1: expected a mapping of keys to values, not \"just text\"", "rpc:\n"},
		{"list", "- rpc: 1\n", "1:1: expected a mapping of keys to values, not a list", "rpc:\n"},
		{"carriage returns", "rpc:\r\n  prot: 1\r\n", "2:3: unknown key \"prot\"", "rpc:\r\n  port: 1\r\n"},
		{"duplicate by quotes", "rpc: {}\n'rpc': {}\n", "2:1: duplicate key \"rpc\"", "rpc: {}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := loadText(t, c.text)
			wantFaults(t, faults, "gracevisor.yaml:"+c.want)
			_, faults = loadText(t, c.legal)
			wantFaults(t, faults)
		})
	}
}

// TestSyntaxFaultInLargeFile: above a size the line is the parser's guess.
func TestSyntaxFaultInLargeFile(t *testing.T) {
	filler := strings.Repeat("# filler\n", maxBisected/9+1)
	_, faults := loadText(t, filler+"rpc: {}\n- a\n")
	if len(faults) != 1 || !strings.Contains(faults[0].Message, "expected a key") {
		t.Errorf("faults %q", faults.Lines())
	}
}
