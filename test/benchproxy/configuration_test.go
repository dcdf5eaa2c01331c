package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/test/bench/rig"
)

// aField is one without a process: what configurations are made of.
func aField(t *testing.T) *field {
	t.Helper()
	return &field{world: &rig.World{Dir: t.TempDir()}, self: "/program", backendPath: "/backend.sock", backendPort: 1000, tcpPort: 1001}
}

func TestGracevisorConfiguration(t *testing.T) {
	dir := t.TempDir()
	c := &contender{ports: [doors]int{2000, 2001, 2002, 2002}}
	text := aField(t).configureGracevisor(c, 3000, 3007)
	if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var faults strings.Builder
	if !config.Check(&faults, dir) {
		t.Errorf("%s\n%s", faults.String(), text)
	}
}

func TestScenarios(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range scenarios() {
		if seen[s.String()] {
			t.Errorf("%s is there twice", s)
		}
		seen[s.String()] = true
	}
	for _, name := range []string{"http-tcp/100B/1", "http-unix/1MiB/1000", "tcp/100B/32", "tcp/1MiB/256"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-cases", "^tcp/1MiB", "-rounds", "5", "-procs", "1"})
	if err != nil || len(o.cases) != 4 || o.rounds != 5 || len(o.goEnv()) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, s := range o.cases {
		if s.door != bulkTCP {
			t.Errorf("%s goes through door %d", s, s.door)
		}
	}
	if _, err := parseOptions([]string{"-list", "-cases", "none"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-list goes on: %v", err)
	}
	for _, bad := range [][]string{{"-rounds", "0"}, {"-time", "0s"}, {"-idle", "-1"}, {"-procs", "-1"}, {"-cases", "("}, {"more"}} {
		if _, err := parseOptions(bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestReport(t *testing.T) {
	o := options{rounds: 3, window: time.Second, procs: 1}
	f := &field{contenders: []*contender{{name: "ours"}, {name: "theirs"}, {name: "none"}}, versions: []string{"ours 1"}}
	r := newReport(o, f)
	us := time.Microsecond
	r.add(scenario{httpToTCP, small, 1}, []samples{
		{[]time.Duration{10 * us, 12 * us, 30 * us}, []time.Duration{40 * us, 50 * us, 60 * us}},
		{[]time.Duration{20 * us, 20 * us, 20 * us}, []time.Duration{200 * us}},
		{},
	})
	r.add(scenario{httpToTCP, small, 32}, []samples{{perRequest: []time.Duration{us}}, {perRequest: []time.Duration{4 * us}}, {}})
	var b strings.Builder
	r.print(&b)
	for _, want := range []string{
		"median and range of 3", "GOMAXPROCS=1", "ours 1",
		"| http-tcp/100B/1  | 12.0 (10.0–30.0) | 20.0 (20.0–20.0) |    – |     0.60 |      – |\n",
		"| http-tcp/100B/32 |              1.0 |              4.0 |    – |     0.25 |      – |\n",
		"|     50.0 | 60.0 |        200 | 200 |        – |   – |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
}
