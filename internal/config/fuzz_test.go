package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad holds for any bytes as a configuration, and as an included app: no
// panic; faults with a place inside the file and a message of one line; and
// what is accepted is a plan that survives JSON.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*/*.yaml", "testdata/*/*/*/*.yaml", "../../conf/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.IsDir() {
				continue // a folder of that name is part of a test
			}
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, text := range []string{laughs(), "a: &a [*a]", "a: &a {<<: *a}", "apps: [{<<: [{name: a}], command: '{port}'}]", "? [a]\n: b", "!!binary a", "- &a\n- *a", "\"\\0\"", "a: |\n\t", "%TAG ! x\n---\n"} {
		f.Add([]byte(text))
	}
	sys := testSystem("/nowhere")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, included := range []bool{false, true} {
			plan, faults := loadBytes(data, included, sys)
			lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2
			for _, fault := range faults {
				if fault.Line < 1 || fault.Line > lines || fault.Column < 1 || fault.Column > len(data)+2 {
					t.Errorf("a fault outside the file: %s", fault)
				}
				if strings.ContainsAny(fault.Message, "\n\r") || fault.Message == "" {
					t.Errorf("a message that is not a line: %q", fault.Message)
				}
			}
			if len(faults) == 0 {
				survives(t, plan)
			}
		}
	})
}

// loadBytes does what Load does with a file, without the file. Nothing is
// included: what data names must not be read.
func loadBytes(data []byte, included bool, sys system) (*Plan, Faults) {
	r := reader{wd: "/nowhere", seen: map[fileID]bool{}}
	top := new(daemonDraft)
	root := parse(FileName, data, &r.found)
	usable := root != nil && (root.shape == shapeMapping || root.shape == shapeNone)
	if included || !usable {
		top.settings = read(&node{at: startOf(FileName)}, daemonKeys, top, &r.found)
		if usable {
			top.apps = []*node{root}
		}
	} else {
		top.settings = read(root, daemonKeys, top, &r.found)
	}
	top.include = nil
	apps := r.apps(top)
	c := checker{sys: sys, wd: r.wd, found: &r.found}
	c.check(top, apps)
	if faults := r.found.sorted(); len(faults) > 0 {
		return nil, faults
	}
	if !usable {
		return nil, nil
	}
	return resolve(top, apps, r.wd, 4), nil
}

func survives(t *testing.T, plan *Plan) {
	if plan == nil {
		return
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var again Plan
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plan, &again) {
		t.Errorf("read back as %+v, was %+v", again, *plan)
	}
	for _, a := range plan.Apps {
		if a.Name == "" || len(a.Command) == 0 || a.Command[0] == "" || (a.External.Port == 0) == (a.ExternalSocket == "") || a.StopSignal == 0 {
			t.Errorf("an app that cannot run: %+v", a)
		}
	}
}
