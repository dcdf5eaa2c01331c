package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// write puts files into a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadText loads a configuration of one file.
func loadText(t *testing.T, text string) (*Plan, Faults) {
	t.Helper()
	return loadDir(t, write(t, map[string]string{FileName: text}))
}

// loadDir loads the configuration in dir, which is the working directory too.
func loadDir(t *testing.T, dir string) (*Plan, Faults) {
	t.Helper()
	plan, err := load(".", testSystem(dir))
	return plan, faultsOf(t, err)
}

// wantFaults compares faults with the expected beginnings of their lines.
func wantFaults(t *testing.T, faults Faults, want ...string) {
	t.Helper()
	lines := faults.Lines()
	ok := len(lines) == len(want)
	for i := range want {
		ok = ok && strings.HasPrefix(lines[i], want[i])
	}
	if !ok {
		t.Errorf("faults:\n\t%s\nwant:\n\t%s", strings.Join(lines, "\n\t"), strings.Join(want, "\n\t"))
	}
}

const demo = "name: demo\ncommand: ./demo {port}\n"

func TestLoadWithoutFile(t *testing.T) {
	_, faults := loadDir(t, t.TempDir())
	wantFaults(t, faults, "gracevisor.yaml:1:1: cannot read the configuration: no such file or directory")
}

func TestLoadOfEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "--- ~\n...\n", "{}", "\ufeff"} {
		plan, faults := loadText(t, text)
		wantFaults(t, faults)
		if plan == nil || len(plan.Apps) != 0 || plan.Ports != (PortRange{10000, 11000}) {
			t.Errorf("%q: plan %+v", text, plan)
		}
	}
}

func TestLoadUsesTheWorkingDirectory(t *testing.T) {
	dir := write(t, map[string]string{
		"etc/" + FileName: "apps_include: [apps, ../apps/more.yaml]\nlogger: {log_dir: log}\n",
		"wd/apps/a.yaml":  demo,
		"apps/more.yaml":  "name: more\ncommand: ../more {port}\nexternal_port: 8081\ndirectory: sub\n",
		"etc/apps/b.yaml": "the folder of the configuration: is not looked in",
	})
	t.Chdir(filepath.Join(dir, "wd"))
	plan, err := Load("../etc")
	if err != nil {
		t.Fatal(err)
	}
	wd, err := syscall.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(wd)
	got := []string{plan.File, plan.Log.Path, plan.App("demo").Command[0], plan.App("more").Command[0], plan.App("more").Directory}
	want := []string{
		root + "/etc/gracevisor.yaml", wd + "/log/gracevisor.log",
		wd + "/demo", root + "/more", wd + "/sub",
	}
	if !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
	if plan.App("nobody") != nil {
		t.Error("found an app that is not there")
	}
}

func TestLoadFollowsTheKernelThroughLinks(t *testing.T) {
	dir := write(t, map[string]string{
		"real/conf/" + FileName: "apps_include: [../apps]",
		"real/apps/a.yaml":      demo,
		"real/wd/x":             "",
	})
	if err := os.Symlink("real/wd", filepath.Join(dir, "wd")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "wd"))
	t.Setenv("PWD", filepath.Join(dir, "wd"))
	plan, err := Load("../conf")
	if err != nil || len(plan.Apps) != 1 {
		t.Fatalf("plan %v, error %v", plan, err)
	}
}

func TestLoadFailsWithoutWorkingDirectory(t *testing.T) {
	for name, directory := range map[string]func() (string, error){
		"unknown": func() (string, error) { return "", syscall.ENOENT },
		"bytes":   func() (string, error) { return "/\xff", nil },
	} {
		_, err := load(".", system{directory: directory})
		var faults Faults
		if err == nil || errors.As(err, &faults) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestIncludeReadsEachFileOnce(t *testing.T) {
	dir := write(t, map[string]string{
		FileName:        "apps_include: [., ./, apps, apps/a.yaml, alias.yml]\n",
		"a.yaml":        demo,
		"apps/a.yaml":   "name: inner\ncommand: ./demo {port}\nexternal_port: 8081\n",
		"notes.txt":     "no: yaml",
		"b.yaml/c.yaml": "not: read",
	})
	for link, target := range map[string]string{
		"alias.yml": "a.yaml", "same.yaml": FileName, "apps/up.yaml": "../a.yaml",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "hard.yaml")); err != nil {
		t.Fatal(err)
	}
	plan, faults := loadDir(t, dir)
	wantFaults(t, faults)
	var names []string
	for _, a := range plan.Apps {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, []string{"demo", "inner"}) {
		t.Errorf("apps %q", names)
	}
}

func TestIncludeOfWhatCannotBeRead(t *testing.T) {
	dir := write(t, map[string]string{
		FileName:      "apps_include:\n- apps\n- pipe\n- /dev/zero\n- big.yaml\n- apps/a.yaml/b.yaml\n",
		"apps/a.yaml": demo,
		"big.yaml":    "#" + strings.Repeat("x", maxFileSize),
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "apps/p.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "apps/dangling.yaml")); err != nil {
		t.Fatal(err)
	}
	_, faults := loadDir(t, dir)
	wantFaults(t, faults,
		"big.yaml:1:1: the file is larger than 1048576 bytes",
		`gracevisor.yaml:2:3: apps_include: cannot read "apps/dangling.yaml": no such file or directory`,
		`gracevisor.yaml:2:3: apps_include: cannot read "apps/p.yaml": it is not a regular file`,
		`gracevisor.yaml:3:3: apps_include: cannot read "pipe": it is not a regular file`,
		`gracevisor.yaml:4:3: apps_include: cannot read "/dev/zero": it is not a regular file`,
		`gracevisor.yaml:6:3: apps_include: cannot read "apps/a.yaml/b.yaml": not a directory`)
}

func TestIncludeWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every file: run as another user")
	}
	dir := write(t, map[string]string{
		FileName:           "apps_include: [secret.yaml, closed]",
		"secret.yaml":      demo,
		"closed/demo.yaml": demo,
	})
	for _, name := range []string{"secret.yaml", "closed"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	_, faults := loadDir(t, dir)
	wantFaults(t, faults,
		`gracevisor.yaml:1:16: apps_include: cannot read "secret.yaml": permission denied`,
		`gracevisor.yaml:1:29: apps_include: cannot read the folder "closed": permission denied`)
}

func TestLoadWritesNothing(t *testing.T) {
	dir := write(t, map[string]string{FileName: "logger: {log_dir: log, log_file: own/d.log}\napps: [{" +
		"name: a, command: './a {port}', directory: work, access_log: json}]"})
	if _, faults := loadDir(t, dir); faults != nil {
		t.Fatal(faults)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

func TestUserDatabase(t *testing.T) {
	current, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if exists, err := userExists(current.Username); !exists || err != nil {
		t.Errorf("user %q: exists %v, error %v", current.Username, exists, err)
	}
	if exists, err := userExists("no-user-of-that-name"); exists || err != nil {
		t.Errorf("unknown user: exists %v, error %v", exists, err)
	}

	dir := write(t, map[string]string{FileName: "user: {username: ghost}"})
	sys := testSystem(dir)
	sys.userExists = func(string) (bool, error) { return false, errors.New("no answer") }
	if _, err := load(".", sys); err != nil {
		t.Errorf("a database that cannot be asked is a fault: %v", err)
	}
}

func TestFaultsAsErrors(t *testing.T) {
	_, err := load("conf", testSystem(t.TempDir()))
	want := "conf/gracevisor.yaml:1:1: cannot read the configuration: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	two := Faults{{"a", 1, 2, "x"}, {"b", 3, 4, "y"}}
	if got := fmt.Errorf("load: %w", two).Error(); got != "load: a:1:2: x (and 1 more)" {
		t.Errorf("error %q", got)
	}
	if got := (Faults{}).Error(); got != "no faults" {
		t.Errorf("error %q", got)
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	var text strings.Builder
	for i := range maxFaults + 500 {
		fmt.Fprintf(&text, "unknown_%d: 1\n", i)
	}
	_, faults := loadText(t, text.String())
	last := faults[len(faults)-1]
	if len(faults) != maxFaults+1 || last.Message != "too many faults: 500 more are not listed" {
		t.Errorf("%d faults, the last one %q", len(faults), last)
	}
}

// rewrite puts files into a folder that is there, and returns it.
func rewrite(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
