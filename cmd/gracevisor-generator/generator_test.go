package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gracevisor/internal/socketunit"
)

var update = flag.Bool("update", false, "write the golden files")

// rig is a generator on folders of its own.
type rig struct {
	*testing.T
	generator
	// normal is the directory that is written to.
	normal string
	told   []string
}

func newRig(t *testing.T, config string) *rig {
	dir := t.TempDir()
	r := &rig{T: t, normal: filepath.Join(dir, "generator")}
	r.generator = generator{
		conf:     filepath.Join(dir, "etc"),
		state:    filepath.Join(dir, "state"),
		thisBoot: filepath.Join(dir, "run/gracevisor-generator"),
		ipv6:     true,
		tell:     func(message string) { r.told = append(r.told, message) },
	}
	for _, d := range []string{r.conf, r.state, r.normal} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.configure(config)
	return r
}

func (r *rig) configure(config string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.conf, "gracevisor.yaml"), []byte(config), 0o600); err != nil {
		r.Fatal(err)
	}
}

// boot runs the generator as the service manager does: on an empty folder. It
// returns the drop-in, "" if there is none, with the place of the folders taken
// out, and what was told.
func (r *rig) boot() (text string, told []string) {
	r.Helper()
	if err := os.RemoveAll(r.normal); err != nil {
		r.Fatal(err)
	}
	if err := os.Mkdir(r.normal, 0o755); err != nil {
		r.Fatal(err)
	}
	r.told = nil
	r.run(r.normal)
	data, err := os.ReadFile(filepath.Join(r.normal, dropIn))
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	if entries, _ := os.ReadDir(r.normal); err != nil && len(entries) != 0 {
		r.Errorf("it left %v", entries)
	}
	return strings.ReplaceAll(string(data), r.conf, "/etc/gracevisor"), r.told
}

// listens returns the addresses of a drop-in.
func listens(text string) (addresses []string) {
	for line := range strings.Lines(text) {
		if a, ok := strings.CutPrefix(line, "ListenStream="); ok && a != "\n" {
			addresses = append(addresses, strings.TrimSuffix(a, "\n"))
		}
	}
	return addresses
}

func (r *rig) want(text string, addresses ...string) {
	r.Helper()
	if got := listens(text); !slices.Equal(got, addresses) {
		r.Errorf("it listens on %q, want %q", got, addresses)
	}
}

// wantTold holds that one line was told, with all of parts in it.
func (r *rig) wantTold(told []string, parts ...string) {
	r.Helper()
	if len(told) != 1 {
		r.Fatalf("told %q", told)
	}
	for _, part := range parts {
		if !strings.Contains(told[0], part) {
			r.Errorf("%q says nothing of %q", told[0], part)
		}
	}
}

const (
	oneApp  = "apps: [{name: a, command: '/a {port}', external_host: '*', external_port: 80}]\n"
	another = "apps: [{name: a, command: '/a {port}', external_host: '*', external_port: 81}]\n"
	broken  = "apps: [{name: a, command: '/a {port}', prot: 1}]\n"
)

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no configurations", err)
	}
	for _, file := range files {
		config, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, told := newRig(t, string(config)).boot()
		if len(told) != 0 {
			t.Errorf("%s: told %q", file, told)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".conf"
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", file, text, want)
		}
	}
}

// TestNothingToListenOn: no drop-in, no complaint, and no last list that would
// come back.
func TestNothingToListenOn(t *testing.T) {
	for name, config := range map[string]string{
		"no app":     "",
		"names only": "apps: [{name: a, command: '/a {port}', external_host: www.example.org}]",
	} {
		r := newRig(t, oneApp)
		text, _ := r.boot()
		r.want(text, "80")
		r.configure(config)
		if text, told := r.boot(); text != "" || len(told) != 0 {
			t.Errorf("%s: wrote %q and told %q", name, text, told)
		}
		r.configure(broken)
		text, told := r.boot()
		r.want(text)
		r.wantTold(told, "keeps its last addresses (0)")
	}
}

// TestBrokenAtDaemonReload: what this boot has listened on is kept, whatever the
// daemon has saved.
func TestBrokenAtDaemonReload(t *testing.T) {
	r := newRig(t, oneApp)
	if err := socketunit.Save(r.state, []string{"99"}); err != nil {
		t.Fatal(err)
	}
	r.boot()
	r.configure(broken)
	for range 2 { // the list outlives being used
		text, told := r.boot()
		r.want(text, "80")
		r.wantTold(told, "gracevisor.yaml:1:40: unknown key", "last addresses (1)", "--check")
	}
	r.configure(another)
	text, told := r.boot()
	r.want(text, "81")
	if len(told) != 0 {
		t.Errorf("told %q", told)
	}
}

func TestBrokenAtBoot(t *testing.T) {
	r := newRig(t, broken)
	if err := socketunit.Save(r.state, []string{"127.0.0.1:99", "/run/100%.sock"}); err != nil {
		t.Fatal(err)
	}
	text, told := r.boot()
	r.want(text, "127.0.0.1:99", "/run/100%%.sock")
	r.wantTold(told, "last addresses (2)")
}

func TestBrokenFromTheBeginning(t *testing.T) {
	r := newRig(t, broken)
	text, told := r.boot()
	r.want(text)
	r.wantTold(told, "listens on nothing")
}

func TestMissingConfiguration(t *testing.T) {
	r := newRig(t, oneApp)
	r.boot()
	if err := os.RemoveAll(r.conf); err != nil {
		t.Fatal(err)
	}
	text, told := r.boot()
	r.want(text, "80")
	r.wantTold(told, "cannot read the configuration")
}

// TestDamagedList: one that is damaged is told, and the next one serves.
func TestDamagedList(t *testing.T) {
	r := newRig(t, oneApp)
	r.boot()
	if err := os.WriteFile(filepath.Join(r.thisBoot, socketunit.ListFile), []byte("80\nExecStart=/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.configure(broken)
	text, told := r.boot()
	r.want(text)
	r.wantTold(told, `"ExecStart=/bin/sh" is no address`, "listens on nothing")
	if err := socketunit.Save(r.state, []string{"99"}); err != nil {
		t.Fatal(err)
	}
	text, told = r.boot()
	r.want(text, "99")
	r.wantTold(told, "no address", "last addresses (1)")
}

// TestListCannotBeKept: the drop-in is there all the same.
func TestListCannotBeKept(t *testing.T) {
	r := newRig(t, oneApp)
	if err := os.WriteFile(filepath.Dir(r.thisBoot), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text, told := r.boot()
	r.want(text, "80")
	r.wantTold(told, "cannot keep the addresses")
}

func TestDropInCannotBeWritten(t *testing.T) {
	r := newRig(t, oneApp)
	if err := os.WriteFile(filepath.Join(r.normal, "gracevisor.socket.d"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(r.normal)
	r.wantTold(r.told, "cannot write the addresses of gracevisor.socket")
}
