package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gracevisor/test/unavailable"
)

// sources are what the packages are made of.
var sources = []string{"cmd", "conf", "internal", "packaging", "go.mod", "go.sum", "README.md", "CHANGELOG.md", "LICENSE"}

// makePackages builds all formats for architectures, in a directory of sources.
func makePackages(t *testing.T, sources string, umask int, architectures ...string) (out string) {
	t.Helper()
	t.Chdir(sources)
	defer syscall.Umask(syscall.Umask(umask))
	out = t.TempDir()
	if err := run([]string{"-arch", strings.Join(architectures, ","), "-out", out}); err != nil {
		t.Fatal(err)
	}
	return out
}

// need skips a test without a program; where CI=true it fails.
func need(t *testing.T, program string) {
	t.Helper()
	unavailable.Program(t, program)
}

// sums are the names and contents of all files in a folder.
func sums(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%s %x", e.Name(), sha256.Sum256(data)))
	}
	return found
}

// TestPackages builds the packages, twice, and looks into them.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a minute")
	}
	if !slices.Contains(architectures, runtime.GOARCH) {
		t.Skipf("SKIPPED: there are no packages for %s", runtime.GOARCH)
	}
	t.Setenv("VERSION", "1.2.3+4.gabc")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	// Another directory, umask and time zone must not show.
	t.Setenv("TZ", "Asia/Kathmandu")
	first := makePackages(t, top, 0o022, architectures...)
	copied := t.TempDir()
	for _, source := range sources {
		if out, err := exec.Command("cp", "-r", filepath.Join(top, source), copied).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	t.Setenv("TZ", "UTC")
	second := makePackages(t, copied, 0o077, runtime.GOARCH)
	files, again := sums(t, first), sums(t, second)
	if len(files) != len(formats)*len(architectures) || len(again) != len(formats) {
		t.Fatalf("built are\n%s\nand\n%s", strings.Join(files, "\n"), strings.Join(again, "\n"))
	}
	for _, file := range again {
		if !slices.Contains(files, file) {
			t.Errorf("two builds differ:\n%s\n%s", strings.Join(files, "\n"), strings.Join(again, "\n"))
		}
	}
	for _, arch := range architectures {
		deb := filepath.Join(first, "gracevisor_1.2.3+4.gabc-1_"+arch+".deb")
		t.Run("lintian "+arch, func(t *testing.T) { lint(t, deb) })
		if arch == runtime.GOARCH { // its programs are run
			t.Run("deb", func(t *testing.T) { lookIntoDeb(t, deb) })
		}
	}
	t.Run("rpm", func(t *testing.T) { lookIntoRPM(t, first) })
	t.Run("tar.gz", func(t *testing.T) { lookIntoArchive(t, first) })
}

func lookIntoDeb(t *testing.T, deb string) {
	root, control := t.TempDir(), t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, root)
	output(t, "dpkg-deb", "--control", deb, control)
	if got := output(t, filepath.Join(root, "usr/sbin/gracevisord"), "--version"); !strings.HasPrefix(got, "gracevisord 1.2.3+4.gabc (commit unknown, ") {
		t.Errorf("version %q", got)
	}
	conffiles, err := os.ReadFile(filepath.Join(control, "conffiles"))
	if want := "/etc/gracevisor/gracevisor.yaml\n/etc/needrestart/conf.d/gracevisor.conf\n"; err != nil || string(conffiles) != want {
		t.Errorf("conffiles %q: %v", conffiles, err)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		if info, err := os.Stat(filepath.Join(control, script)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v", script, err)
		}
	}
	for shell, file := range map[string]string{
		"bash": "bash-completion/completions/gracevisorctl",
		"zsh":  "zsh/vendor-completions/_gracevisorctl",
		"fish": "fish/vendor_completions.d/gracevisorctl.fish",
	} {
		path := filepath.Join(root, "usr/share", file)
		if text, err := os.ReadFile(path); err != nil || !bytes.Contains(text, []byte("__complete")) {
			t.Errorf("completion of %s: %v", shell, err)
		}
		t.Run(shell, func(t *testing.T) {
			need(t, shell)
			output(t, shell, "-n", path)
		})
	}
	text, err := os.ReadFile(filepath.Join(root, "usr/share/doc/gracevisor/copyright"))
	for _, part := range []string{"Apache License", "gopkg.in/yaml.v3", "The Go Programming Language", "Redistributions in binary form"} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("copyright says nothing of %q: %v", part, err)
		}
	}
}

// lint holds that lintian finds no error, and no warning that is not explained
// in lintian-overrides.
func lint(t *testing.T, deb string) {
	need(t, "lintian")
	cmd := exec.Command("lintian", "--fail-on", "error,warning", deb)
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaints // that it is run by root goes to the latter
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("%v\n%s%s", err, said.Bytes(), complaints.Bytes())
	}
}

func lookIntoRPM(t *testing.T, dir string) {
	rpms, err := filepath.Glob(filepath.Join(dir, "gracevisor-1.2.3+4.gabc-1.*.rpm"))
	if err != nil || len(rpms) != len(architectures) {
		t.Fatalf("%q: %v", rpms, err)
	}
	need(t, "rpm")
	if got := output(t, "rpm", "--query", "--package", "--configfiles", rpms[0]); got != "/etc/gracevisor/gracevisor.yaml\n" {
		t.Errorf("configuration files %q", got)
	}
	list := output(t, "rpm", "--query", "--package", "--list", rpms[0])
	for _, file := range []string{"/usr/sbin/gracevisord\n", "/usr/lib/systemd/system/gracevisor.socket\n", "/usr/share/licenses/gracevisor/LICENSE\n"} {
		if !strings.Contains(list, file) {
			t.Errorf("%q is missing in\n%s", file, list)
		}
	}
}

func lookIntoArchive(t *testing.T, dir string) {
	name := "gracevisor_1.2.3+4.gabc_linux_" + runtime.GOARCH
	list := output(t, "tar", "--list", "--verbose", "--gzip", "--utc", "--file", filepath.Join(dir, name+".tar.gz"))
	for line := range strings.Lines(list) {
		if !strings.Contains(line, " "+name+"/") || !strings.Contains(line, " root/root ") || !strings.Contains(line, "2023-11-14") {
			t.Errorf("%q", line)
		}
	}
	if !strings.Contains(list, name+"/usr/bin/gracevisorctl\n") || strings.Contains(list, "lintian") {
		t.Errorf("it has\n%s", list)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return string(out)
}
