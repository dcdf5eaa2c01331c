package config

import (
	"fmt"
	"strings"
	"testing"
)

// samples are values that every key of a type refuses, and values that it
// takes. Bounds that differ from key to key are in boundsOf.
var samples = map[string]struct{ wrong, right []string }{
	"name":                          {notText("'a b'", "''", ".", "..", "a/b", "é", `"a\0"`, strings.Repeat("a", 65)), []string{"a", "A-b_c.1", "'1'", ".a", strings.Repeat("a", 64)}},
	"command, or list of its words": {[]string{"5", "true", "1.5", "{a: b}", "''", "' '", "[]", "['']", "[[a]]", "[{port}]", "[null]", `'a "b'`, `a\`, "'''a'", "~/app", `["a\0"]`}, []string{"'a {port}'", "['a b', '{port}']", "[sleep, 5, true, '{port}']", `"\"a b\" {port}"`, `a\ b$HOME{port}`}},
	"list of NAME=value":            {[]string{"5", "A=b", "{A: b}", "[A]", "[=b]", "[1A=b]", "[A-B=c]", "[{A: b}]", "[[A=b]]", "[null]", "[A=b, A=c]", `["A=\0"]`}, []string{"[]", "[A=b]", "[A=, _b1=c=d, 'B={port}']"}},
	"path":                          {notText("''", `"a\nb"`, `"a\0b"`, "~/a", strings.Repeat("a", 4096)), []string{"a", "./a", "../a", "/a/b", "'5'", "a~", "2024-01-01", strings.Repeat("a", 4095)}},
	"path of a Unix socket":         {notText("''", "'@abstract'", "a/", ".", "..", "~/a", `"a\0b"`, strings.Repeat("a", 108), "/"+strings.Repeat("a", 107)), []string{"a", "./@a", "../a", "/run/a.sock", "/" + strings.Repeat("a", 106)}},
	"host":                          {notText("''", "'*'", "a b", "'[::1]'", "a:80", "http://a", "1.2.3", "256.1.1.1", "-a", "a-", "a..b", "é", "/run/socket", strings.Repeat("a.", 127)), []string{"localhost", "a.b.", "a_b", "127.0.0.1", "'::1'", "fe80::1%eth0", "LocalHost", "3com.example"}},
	"host, or *":                    {notText("a b", "'[::1]'", "'*:80'", "http://a", "1.2.3"), []string{"''", "'*'", "0.0.0.0", "'::'", "'::1'", "localhost"}},
	"port":                          {notNumber("0", "65536", "80.0"), []string{"1", "65535"}},
	"port, or 0":                    {notNumber("-1", "65536"), []string{"0", "1", "65535"}},
	"number":                        {notNumber(), nil},
	"number, or none":               {notNumber("-1", "2147483648"), []string{"0", "none", "1", "2147483647"}},
	"number, 1 to 4194304, or none": {notNumber("-1", "4194305"), []string{"none", "0", "1", "4194304"}},
	"number, 1 to 10000, or none":   {notNumber("-1", "10001"), []string{"none", "0", "1", "10000"}},
	"number of CPUs, or percent of one, or none": {
		[]string{"x", "-1", "-5%", "0.009", "0.9%", "1001", "100001%", "1.5555", "1e2", "1_0", ".5", "5 %", "'%'", "1.5CPU", "[1]", "{a: b}", "''", "true", ".inf", "99999999999"},
		[]string{"none", "0", "0%", "0.01", "1%", "1", "1.5", "'1.5'", "150%", "12.5%", "0.125", "1000", "100000%"}},
	"number, or -1":                 {notNumber("-2", "2147483648"), []string{"-1", "0", "none", "1", "2147483647"}},
	"octal number":                  {[]string{"8", "01000", "0o1000", "-1", "0.2", "rwx", "0x12", "[022]", "{a: b}", "00022"}, []string{"0", "22", "022", "'022'", "0022", "0777", "0o77"}},
	"on or off":                     {[]string{"yes", "5", "maybe", "[on]", "{a: b}", "''"}, []string{"on", "off", "true", "false", "'on'"}},
	"http or tcp":                   {[]string{"udp", "HTTP", "5", "[tcp]", "{a: b}", "''", "true"}, []string{"http", "tcp", "'tcp'"}},
	"probe or notify":               {[]string{"port", "Notify", "5", "[notify]", "{a: b}", "''", "true"}, []string{"probe", "notify", "'notify'"}},
	"off, json or combined":         {[]string{"on", "JSON", "false", "[json]", "{a: b}"}, []string{"off", "json", "combined"}},
	"name of a signal":              {[]string{"15", "TREM", "SIG", "STOP", "SIGTSTP", "[TERM]", "{a: b}", "''", "true"}, []string{"TERM", "SIGTERM", "sigusr1", "KILL", "'INT'"}},
	"user name":                     {notText("''", "'a:b'", "'a b'", "a/b", "nobody-of-that-name"), []string{"root", "'root'"}},
	"path of a URL":                 {notText("''", "a", "http://a/", "'/a b'", "'/a#b'", "/%zz", "/%4", "/é", "'/a\"'", "/"+strings.Repeat("a", 2048)), []string{"/", "/a/b?c=d&e", "/%20", "//a", "/a;b=c,d:e@f!$'()*+~"}},
	"duration":                      {notDuration("0", "0s", "none", "0.0005"), []string{"1", "0.5", "'30'", "30s", "1m30s", "100ms", "1h", "0.001"}},
	"duration, or none":             {notDuration("0.0005"), []string{"none", "0", "0s", "0.0", "1", "1.5", "90s"}},
	"size in megabytes":             {notSize("0", "0M", "512K", "1B", "2T"), []string{"1", "500", "500M", "500mb", "1GiB", "1024K", "1T"}},
	"size in megabytes, or none":    {notSize("512K", "1B", "1048575B", "9007199254740992K"), []string{"none", "0", "0M", "1", "500", "500M", "500mb", "1GiB", "1536K", "2000000B", "8T"}},
	"size in bytes":                 {notSize("0", "none", "1023", "17M"), []string{"1024", "64K", "'64k'", "16M", "1MB", "2000B"}},
	"size in bytes, or none":        {notSize("10E", "9223372036854775807"), []string{"none", "0", "1", "64K", "8T"}},
	"list of paths":                 {[]string{"5", "a", "{a: b}", "['']", "[5]", "[[a]]", "[null]", "[missing]"}, []string{"[]", "[.]"}},
	"list of apps":                  {[]string{"5", "a", "{a: b}", "[a]", "[null]", "[[]]"}, []string{"[]", "[{name: z, command: '{port}', external_port: 8090}]"}},
	"list of addresses or networks": {[]string{"5", "10.0.0.0/8", "{a: b}", "[a]", "[10.0.0.0/33]", "[10.0.0]", "['fe80::1%lo']", "['::ffff:10.0.0.1/104']", "[{a: b}]", "[null]"}, []string{"[]", "[10.0.0.1]", "[10.0.0.1/8, '::1', 'fd00::/8', '::ffff:10.0.0.1']"}},
	"list of tokens":                {[]string{"5", "websocket", "{a: b}", "[a b]", "[a/1]", "[h2c]", "[H2C]", "[h2]", "[null]", "[[a]]"}, []string{"[]", "[websocket]", "[WebSocket, chat, websocket]"}},
}

func notText(more ...string) []string {
	return append([]string{"5", "1.5", "true", ".inf", "[a]", "{a: b}"}, more...)
}

func notNumber(more ...string) []string {
	return append([]string{"x", "'5'", "1.5", "1e3", "0x10", "010", "1_000", "true", "[5]", "{a: b}", "''", "99999999999999999999", ".nan"}, more...)
}

func notDuration(more ...string) []string {
	return append([]string{"x", "-1", "-1s", "1d", "5 s", "1e3", ".inf", ".nan", "true", "[5]", "{a: b}", "''", "99999999999", "999999h", "9999999999999999h"}, more...)
}

func notSize(more ...string) []string {
	return append([]string{"x", "-1", "1.5", "1.5M", "5 M", "M", "5IB", "5MM", "true", "[5]", "{a: b}", "''", "99999999999999999999", "999999999999999999T"}, more...)
}

// boundsOf are the least and the greatest value of the keys of type number.
var boundsOf = map[string][2]int{
	"parallel_restarts": {1, 10_000}, "healthcheck_retries": {1, 1000}, "max_draining": {1, 1000},
	"max_retries": {1, 2147483647}, "hold_max": {1, 1_000_000},
	"max_headers": {1, 10_000}, "max_answer_headers": {1, 10_000}, "max_workers": {2, 100},
}

// samplesOf returns wrong and right values of a key.
func samplesOf(t *testing.T, k Key) (wrong, right []string) {
	t.Helper()
	kind := k.Type
	if strings.HasPrefix(kind, "number, ") && samples[kind].wrong == nil {
		kind = "number"
		b, ok := boundsOf[k.Name]
		if !ok {
			t.Fatalf("no bounds of %s", k.Name)
		}
		wrong = []string{fmt.Sprint(b[0] - 1), fmt.Sprint(b[1] + 1)}
		right = []string{fmt.Sprint(b[0]), fmt.Sprint(b[1])}
	}
	s, ok := samples[kind]
	if !ok {
		t.Fatalf("no samples of the type %q of %s", k.Type, k.Name)
	}
	return append(wrong, s.wrong...), append(right, s.right...)
}

// document returns a configuration with one key set, and the place of its
// value as "line:column".
func document(k Key, value string) (text, at string) {
	lines := []string{}
	indent := ""
	if k.Scope == ScopeApp {
		lines = append(lines, "apps:", "-")
		indent = "  "
		if k.Name != "name" {
			lines = append(lines, "  name: a")
		}
		if k.Name != "command" {
			lines = append(lines, "  command: './a {port}'")
		}
	}
	section, last, nested := strings.Cut(k.Name, ".")
	if nested {
		lines = append(lines, indent+section+":")
		indent += "  "
	} else {
		last = k.Name
	}
	if k.Name == "rpc.host" {
		lines = append(lines, "  allow_plaintext: true")
	}
	if k.Name == "port_range.from" {
		lines = append(lines, "  to: 65535")
	}
	if k.Name == "port_range.to" {
		lines = append(lines, "  from: 1")
	}
	if k.Name == "watchdog" {
		lines = append(lines, "  ready: notify")
	}
	lines = append(lines, indent+last+": "+value)
	at = fmt.Sprintf("%d:%d", len(lines), len(indent)+len(last)+3)
	return strings.Join(lines, "\n") + "\n", at
}

// TestWrongValues: every wrong value of every key is a fault, told at the value
// or, in a list, within its line, and naming the key; and nothing else is.
func TestWrongValues(t *testing.T) {
	for _, k := range Keys() {
		wrong, _ := samplesOf(t, k)
		for _, value := range wrong {
			text, at := document(k, value)
			_, faults := loadText(t, text)
			if len(faults) == 0 {
				t.Errorf("%s: %.60s is accepted", k.Name, value)
			}
			for _, f := range faults {
				line, _, _ := strings.Cut(at, ":")
				inLine := strings.HasPrefix(f.Error(), "gracevisor.yaml:"+line+":")
				exact := strings.HasPrefix(f.Error(), "gracevisor.yaml:"+at+": ")
				if !inLine || !exact && !strings.ContainsAny(value, "[{") || !strings.Contains(f.Message, k.Name+": ") {
					t.Errorf("%s: %.60s at %s is the fault %q", k.Name, value, at, f)
				}
			}
		}
	}
}

// TestRightValues: the nearest legal neighbours of the wrong values.
func TestRightValues(t *testing.T) {
	for _, k := range Keys() {
		_, right := samplesOf(t, k)
		for _, value := range right {
			text, _ := document(k, value)
			if _, faults := loadText(t, text); len(faults) != 0 {
				t.Errorf("%s: %.60s is refused: %s", k.Name, value, faults)
			}
		}
	}
}

// TestAbsentAndNull: a key without a value is an absent key.
func TestAbsentAndNull(t *testing.T) {
	for _, k := range Keys() {
		text, _ := document(k, "null")
		_, faults := loadText(t, text)
		if k.Required {
			wantFaults(t, faults, fmt.Sprintf("gracevisor.yaml:3:3: missing key %q", k.Name))
		} else if len(faults) != 0 {
			t.Errorf("%s: null is refused: %s", k.Name, faults)
		}
	}
}

// TestDefaultsAreWhatTheyAreCalled: writing the default changes nothing.
func TestDefaultsAreWhatTheyAreCalled(t *testing.T) {
	for _, k := range Keys() {
		if k.Required || k.Derived {
			continue
		}
		absent, _ := document(k, "null")
		written, _ := document(k, k.Default)
		a, faults := loadText(t, absent)
		wantFaults(t, faults)
		b, faults := loadText(t, written)
		wantFaults(t, faults)
		if a == nil || b == nil {
			continue
		}
		if got, want := planText(t, b), planText(t, a); got != want {
			t.Errorf("%s: %s is not the default:\n%s\n%s", k.Name, k.Default, got, want)
		}
	}
}

// TestKeysAreDocumented holds the form that the reference needs.
func TestKeysAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		id := string(k.Scope) + " " + k.Name
		if seen[id] {
			t.Errorf("%s stands there twice", id)
		}
		seen[id] = true
		if k.Scope != ScopeDaemon && k.Scope != ScopeApp || k.Type == "" || k.Doc == "" ||
			strings.HasSuffix(k.Doc, ".") || strings.Contains(k.Doc+k.Default, "|") || k.Required != (k.Default == "") {
			t.Errorf("%s is not well documented: %+v", id, k)
		}
		if last := k.Name[strings.LastIndex(k.Name, ".")+1:]; last != strings.ToLower(last) || strings.ContainsAny(last, "- ") {
			t.Errorf("%s is not lower case, joined by _", id)
		}
	}
}

func TestWriteKeys(t *testing.T) {
	var b strings.Builder
	for _, scope := range []Scope{ScopeDaemon, ScopeApp} {
		if err := WriteKeys(&b, scope); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "testdata/keys.golden", b.String())
}
