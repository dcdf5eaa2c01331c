package config

import (
	"os"
	"path/filepath"
	"slices"
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
		ParallelRestarts: plan.ParallelRestarts, ShutdownTimeout: plan.ShutdownTimeout}
	want := Plan{
		File:             filepath.Join(root, "conf/gracevisor.yaml"),
		Ports:            PortRange{10000, 11000},
		RPC:              RPC{Host: "localhost", Port: 9001},
		Log:              LogFile{filepath.Join(root, "log/gracevisor.log"), Rotation{MaxSize: 500}},
		ParallelRestarts: 4,
		ShutdownTimeout:  time.Minute,
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
		if k.Scope == ScopeApp && !s.has(k.Name) {
			t.Errorf("%s is not shown", k.Name)
		}
	}
}
