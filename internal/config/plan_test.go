package config

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// planText is a plan as JSON, without the folder it was read from.
func planText(t *testing.T, plan *Plan) string {
	t.Helper()
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), filepath.Dir(plan.File), "/WD")
}

// plans loads every valid configuration of testdata.
func plans(t *testing.T) map[string]*Plan {
	t.Helper()
	loaded := map[string]*Plan{}
	for _, dir := range cases(t, "valid") {
		plan, faults := loadDir(t, dir)
		wantFaults(t, faults)
		loaded[filepath.Base(dir)] = plan
	}
	return loaded
}

func TestPlanSurvivesJSON(t *testing.T) {
	for name, plan := range plans(t) {
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		var again Plan
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(plan, &again) {
			t.Errorf("%s: read back as %+v, was %+v", name, again, *plan)
		}
		for i, a := range plan.Apps {
			if !a.Equal(again.Apps[i]) {
				t.Errorf("%s: app %s differs from itself read back", name, a.Name)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]Limits{
		"{}":                                         {},
		"{memory_max: 500, memory_high: 400M}":       {MemoryMax: 500 << 20, MemoryHigh: 400 << 20},
		"{memory_max: 0, memory_high: 1536K}":        {MemoryHigh: 1536 << 10},
		"{cpu_max: 1.5}":                             {CPUMax: 1500},
		"{cpu_max: 150%}":                            {CPUMax: 1500},
		"{cpu_max: 2}":                               {CPUMax: 2000},
		"{cpu_max: 0.125}":                           {CPUMax: 125},
		"{cpu_max: 12.5%}":                           {CPUMax: 125},
		"{cpu_max: 0}":                               {},
		"{pids_max: 64, io_weight: 1}":               {PIDsMax: 64, IOWeight: 1},
		"{pids_max: none, io_weight: 0}":             {},
		"{memory_max: none, cpu_max: none}":          {},
		"{memory_max: 2G, memory_high: 2147483648B}": {MemoryMax: 2 << 30, MemoryHigh: 2 << 30},
	} {
		plan, faults := loadText(t, "apps: [{name: a, command: './a {port}', limits: "+text+"}]")
		wantFaults(t, faults)
		if plan != nil && plan.Apps[0].Limits != want {
			t.Errorf("%s: %+v, want %+v", text, plan.Apps[0].Limits, want)
		}
	}
}

// TestSocketPathCountsFromTheRoot: the kernel is given the absolute path.
func TestSocketPathCountsFromTheRoot(t *testing.T) {
	const wd = "/srv/gracevisor"
	longest := strings.Repeat("s", maxSocketPath-len(wd)-len("/"))
	for path, want := range map[string][]string{
		longest:              nil,
		longest + "s":        {"external_socket: the path of a Unix socket has at most 107 bytes, with the working directory before it, not 108"},
		longest + "/../../s": nil,
	} {
		dir := write(t, map[string]string{FileName: "apps: [{name: a, command: './a {port}', external_socket: " + path + "}]"})
		plan, err := load(dir, testSystem(wd))
		var messages []string
		for _, f := range faultsOf(t, err) {
			messages = append(messages, f.Message)
		}
		if !slices.Equal(messages, want) {
			t.Errorf("%s: faults %q, want %q", path, messages, want)
		}
		if plan == nil {
			continue
		}
		if a := plan.Apps[0]; a.ExternalSocket != filepath.Join(wd, path) || a.External != (Address{}) {
			t.Errorf("%s: listens on %q and %v", path, a.ExternalSocket, a.External)
		}
	}
}

// TestEqualSeesEveryKey: an app with one key changed is another app, and one
// that is written differently is not.
func TestEqualSeesEveryKey(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) *App {
		t.Helper()
		plan, faults := loadDir(t, rewrite(t, dir, map[string]string{FileName: text}))
		wantFaults(t, faults)
		if plan == nil {
			t.Fatal("no plan")
		}
		return plan.Apps[0]
	}
	base := "apps: [{name: a, command: './a {port}'}]"
	others := map[string]string{
		"name": "b", "command": "'./b {port}'", "environment": "[A=b]", "directory": "sub", "internal_host": "127.0.0.1",
		"external_host": "127.0.0.1", "external_port": "8081", "proxy": "tcp", "user.username": "root", "umask": "077",
		"healthcheck": "/", "healthcheck_interval": "2", "healthcheck_timeout": "2", "healthcheck_retries": "2",
		"stop_signal": "INT", "max_retries": "2", "failed_retry_interval": "2", "start_timeout": "2", "stop_timeout": "2",
		"drain_timeout": "2", "max_draining": "2", "logger.log_dir": "log", "logger.log_file": "a.log",
		"logger.stdout_log_file": "a.log", "logger.stderr_log_file": "a.log", "logger.max_log_size": "2",
		"logger.max_logs_kept": "2", "logger.max_log_age": "2", "access_log": "json", "access_log_file": "a.log",
		"hold_timeout": "2", "hold_max": "2", "header_timeout": "2", "idle_timeout": "2", "connect_timeout": "2",
		"answer_timeout": "2", "body_timeout": "2", "max_header_bytes": "2K", "max_headers": "2", "max_body_bytes": "2",
		"max_answer_header_bytes": "2K", "max_answer_headers": "2", "max_connections": "2", "trusted_proxies": "[127.0.0.1]",
		"via": "on", "upgrades": "[]", "external_socket": "a.sock", "ready": "notify", "watchdog": "2",
		"limits.memory_max": "2", "limits.memory_high": "2", "limits.cpu_max": "2", "limits.pids_max": "2",
		"limits.io_weight": "2", "logger.journal": "on",
	}
	for _, k := range Keys() {
		if k.Scope != ScopeApp {
			continue
		}
		without := base
		if !k.Required {
			without, _ = document(k, "null")
		}
		with, _ := document(k, others[k.Name])
		if load(with).Equal(load(without)) {
			t.Errorf("%s: no difference is seen", k.Name)
		}
	}
	same := load("apps: [{command: [./a, '{port}'], name: a, start_timeout: 0, umask: 0o22}]")
	if !same.Equal(load(base)) {
		t.Errorf("differ: %+v, %+v", same, load(base))
	}
}

func TestReserved(t *testing.T) {
	plan := plans(t)["inheritance"] // rpc.port is 0 there
	for port, want := range map[int]bool{20000: true, 8001: true, 8003: true, 9001: false, 20001: false, 0: false, 8080: false} {
		if got := plan.Reserved(port); got != want {
			t.Errorf("port %d: reserved %v, want %v", port, got, want)
		}
	}
	if plan := plans(t)["defaults"]; !plan.Reserved(9001) {
		t.Error("the port of the RPC server is not reserved")
	}
}

func TestUsesSocket(t *testing.T) {
	plan := plans(t)["inheritance"]
	for name, want := range map[string]bool{"heir": false, "free": true} {
		if got := plan.App(name).UsesSocket(); got != want {
			t.Errorf("app %s: uses a socket %v, want %v", name, got, want)
		}
	}
}
