package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gracevisor/internal/config"
	"gracevisor/internal/socketunit"
)

const (
	goodYAML   = "apps: [{name: a, command: '/a {port}', external_host: '*', external_port: 80, environment: [SECRET=x]}]\n"
	brokenYAML = "apps: [{name: a, command: '/a {port}', prot: 1}]\n"
)

func writeConfiguration(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLastGoodPlan: a broken configuration is told, and the plan that was in
// force last comes back as it was.
func TestLastGoodPlan(t *testing.T) {
	conf, state := t.TempDir(), t.TempDir()
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	writeConfiguration(t, conf, brokenYAML)
	if _, err := planToStartWith(log, conf, state); err == nil || said.Len() > 0 {
		t.Fatalf("a first start with a broken configuration: %v, log %q", err, said.String())
	}

	writeConfiguration(t, conf, goodYAML)
	good, err := planToStartWith(log, conf, state)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{log: log, stateDir: state}
	d.rememberPlan(good)
	if list, err := socketunit.Load(state); err != nil || len(list) != 1 || list[0] != "80" {
		t.Errorf("saved addresses %q, %v", list, err)
	}
	if info, err := os.Stat(filepath.Join(state, lastPlanFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan may hold secrets: %v, %v", info.Mode(), err)
	}

	writeConfiguration(t, conf, brokenYAML)
	last, err := planToStartWith(log, conf, state)
	if err != nil || !reflect.DeepEqual(last, good) {
		t.Errorf("got %+v, %v; want %+v", last, err, good)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "prot") {
		t.Errorf("it told %q", text)
	}
	if _, err := planToStartWith(log, conf, ""); err == nil {
		t.Error("without a state directory a broken configuration started something")
	}
}

// TestLastGoodPlanThatIsDamaged: then a broken configuration is what it is.
func TestLastGoodPlanThatIsDamaged(t *testing.T) {
	conf, state := t.TempDir(), t.TempDir()
	writeConfiguration(t, conf, brokenYAML)
	for _, text := range []string{"", "{", `{"version": 99, "plan": {}}`, `{"version": 1}`} {
		if err := os.WriteFile(filepath.Join(state, lastPlanFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		if _, err := planToStartWith(slog.New(slog.NewTextHandler(&said, nil)), conf, state); err == nil {
			t.Errorf("%q is taken for a plan", text)
		}
		if !strings.Contains(said.String(), "read the last plan") {
			t.Errorf("%q: it told %q", text, said.String())
		}
	}
}
