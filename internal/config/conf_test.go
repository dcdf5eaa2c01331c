package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShippedConfiguration holds what the configuration in conf/ promises to a
// newcomer: it is valid, it is the example of the documentation, and its second
// app shows every key that an app can have.
func TestShippedConfiguration(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(root, "bin") // where the daemon is started
	plan, err := load("../conf", testSystem(bin))
	if err != nil {
		t.Fatal(faultsOf(t, err).Lines())
	}
	if len(plan.Warnings) != 0 {
		t.Errorf("warnings: %q", plan.Warnings.Lines())
	}
	got := Plan{File: plan.File, Ports: plan.Ports, RPC: plan.RPC, Log: plan.Log,
		ParallelRestarts: plan.ParallelRestarts, ShutdownTimeout: plan.ShutdownTimeout, ReadyTimeout: plan.ReadyTimeout}
	want := Plan{
		File:             filepath.Join(root, "conf/gracevisor.yaml"),
		Ports:            PortRange{10000, 11000},
		RPC:              RPC{Host: "localhost", Port: 9001},
		Log:              LogFile{filepath.Join(root, "log/gracevisor.log"), Rotation{MaxSize: 500}},
		ParallelRestarts: 4,
		ShutdownTimeout:  time.Minute,
		ReadyTimeout:     30 * time.Second,
	}
	if planText(t, &got) != planText(t, &want) {
		t.Errorf("plan %+v, want %+v", got, want)
	}
	if len(plan.Apps) != 2 || plan.Apps[0].Name != "demo" || plan.Apps[1].Name != "everything" {
		t.Fatalf("apps %+v", plan.Apps)
	}
	command := []string{filepath.Join(root, "demoapp/demoapp"), "--port={port}"}
	for _, a := range plan.Apps {
		if !slices.Equal(a.Command, command) || a.User != "root" {
			t.Errorf("app %s: command %q as %q", a.Name, a.Command, a.User)
		}
	}
}

// excluded are the keys that cannot stand beside others, and why.
var excluded = map[string]string{
	"external_socket": "it stands in place of external_host and external_port",
}

// TestShippedAppUsesEveryKey: all that can be combined are in use, and the
// others are told of.
func TestShippedAppUsesEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../conf/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var found findings
	var draft appDraft
	s := read(parse("everything.yaml", data, &found), appKeys, &draft, &found)
	wantFaults(t, found.sorted())
	for _, k := range Keys() {
		switch reason := excluded[k.Name]; {
		case k.Scope != ScopeApp:
		case reason == "" && !s.has(k.Name):
			t.Errorf("%s is not shown", k.Name)
		case reason != "" && !strings.Contains(string(data), "\n# "+k.Name+": "):
			t.Errorf("%s is not told of", k.Name)
		case reason != "":
			text := strings.Replace(string(data), "\n# "+k.Name+": ", "\n"+k.Name+": ", 1)
			_, faults := loadDir(t, write(t, map[string]string{FileName: "apps_include: [all.yaml]", "all.yaml": text}))
			if len(faults) != 1 || !strings.Contains(faults[0].Message, k.Name+": ") {
				t.Errorf("%s is left out because %s, but it can be combined: %q", k.Name, reason, faults.Lines())
			}
		}
	}
}

// TestReadmeHoldsTheReference: the tables of the README are those of WriteKeys.
func TestReadmeHoldsTheReference(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []Scope{ScopeDaemon, ScopeApp} {
		var table strings.Builder
		if err := WriteKeys(&table, scope); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), "\n\n"+table.String()+"\n") {
			t.Errorf("the table of the keys of scope %s is not the one in the README:\n%s", scope, table.String())
		}
	}
}
