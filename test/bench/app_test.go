package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/config"
	"gracevisor/test/bench/rig"
	"gracevisor/test/events"
)

// TestApp runs the app as its process does, and asks it.
func TestApp(t *testing.T) {
	w, err := rig.OpenBeside(fmt.Sprintf("@%s-%d", t.Name(), os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s := &stage{world: w}
	if s.told, err = events.Listen(w.Path("events")); err != nil {
		t.Fatal(err)
	}
	defer s.told.Close()
	t.Setenv(events.Env, w.Path("events"))
	port, err := w.TakePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	// Ends with the World.
	go func() { ended <- appMain([]string{"-leash", w.Leash(), "-port", strconv.Itoa(port)}) }()
	up, err := s.nextUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if up.PID != os.Getpid() || up.Started == 0 || up.Listening < up.Started || up.Checked != 0 || up.Served != 0 || up.ready() != up.Listening {
		t.Errorf("when it is up it tells %+v", up)
	}
	r := &running{firstPort: port}
	check := r.visit(0)
	defer check.close()
	check.url += healthPath[1:]
	checked, err := check.ask(t.Context())
	if err != nil || checked.Checked <= up.Listening || checked.Served != 0 || checked.ready() != checked.Checked {
		t.Errorf("after a health check it tells %+v, %v", checked, err)
	}
	visitor := r.visit(0)
	defer visitor.close()
	first, err := visitor.ask(t.Context())
	if err != nil || first.Served < checked.Checked || first.Checked != checked.Checked {
		t.Errorf("after the first request it tells %+v, %v", first, err)
	}
	again, err := visitor.ask(t.Context())
	if err != nil || again != first {
		t.Errorf("after the second request it tells %+v, not %+v, %v", again, first, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the app goes on without its leash")
	}
}

func TestConfigurations(t *testing.T) {
	s := &stage{world: &rig.World{Dir: t.TempDir()}, self: "/program"}
	for _, p := range []plan{{name: "plain", apps: 1}, {name: "checked", apps: 30, checked: true, parallel: 4}} {
		dir := t.TempDir()
		text := s.configuration(p, 2000, 3000, 3100)
		if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var faults strings.Builder
		if !config.Check(&faults, dir) {
			t.Errorf("%s:\n%s\n%s", p.name, faults.String(), text)
		}
	}
}

func TestOptions(t *testing.T) {
	if o, err := parseOptions([]string{"-only", "crash", "-samples", "3"}); err != nil || o.samples != 3 || !o.only.MatchString("crash") || o.only.MatchString("idle") {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"-samples", "0"}, {"-many", "1"}, {"-idle-time", "0s"}, {"-only", "("}, {"more"}} {
		if _, err := parseOptions(bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
