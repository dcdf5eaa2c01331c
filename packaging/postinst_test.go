package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runPostinst runs the script that dpkg runs after it has unpacked the package,
// on a machine whose commands only note that they were called, and returns what
// was asked of systemd. The service is in a state, and asked whether it gives way
// to the new version the daemon answers with an exit status.
func runPostinst(t *testing.T, state, answer string, args ...string) (asked []string, said string) {
	t.Helper()
	dir := t.TempDir()
	script, err := os.ReadFile("deb/postinst")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "postinst")
	write(t, path, strings.ReplaceAll(string(script), "/run/systemd/system", dir))
	note := "#!/bin/sh\necho \"${0##*/} $*\" >>" + filepath.Join(dir, "calls") + "\n"
	for name, more := range map[string]string{
		"systemd-sysusers": "", "deb-systemd-helper": "", "deb-systemd-invoke": "", "busctl": "",
		"gracevisorctl": "echo it is of another world >&2; exit " + answer + "\n",
		"systemctl": `case "$*" in
*is-active*) case "` + state + `" in active | reloading) ;; *) exit 3 ;; esac ;;
*ActiveState*) echo ` + state + ` ;;
esac
`,
	} {
		write(t, filepath.Join(dir, "bin", name), note+more)
		if err := os.Chmod(filepath.Join(dir, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", append([]string{path}, args...)...)
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(calls)) {
		if call, ok := strings.CutPrefix(strings.TrimSpace(line), "deb-systemd-invoke "); ok {
			asked = append(asked, call)
		}
	}
	return asked, string(out)
}

// TestPostinst: a version that is installed is run, in whatever state the service
// is, unless it can not take over.
func TestPostinst(t *testing.T) {
	const start, restart = "start gracevisor.socket gracevisor.service", "restart gracevisor.service"
	upgrade, install := []string{"configure", "1.0.0-1"}, []string{"configure", ""}
	for _, c := range []struct {
		state, answer string
		args          []string
		want          []string
	}{
		{"inactive", "3", install, []string{start}},
		{"inactive", "3", upgrade, []string{start}},
		{"failed", "3", upgrade, []string{start}},
		{"", "3", install, []string{start}},
		{"deactivating", "3", upgrade, []string{start}},
		{"active", "0", upgrade, []string{restart}},
		{"active", "3", upgrade, []string{restart}},
		{"active", "1", upgrade, nil},
		{"active", "0", []string{"abort-upgrade", "1.0.0-1"}, nil},
		{"reloading", "0", upgrade, []string{restart}},
		{"activating", "0", upgrade, []string{restart}},
		{"activating", "3", upgrade, []string{restart}},
		{"activating", "1", upgrade, nil},
	} {
		asked, said := runPostinst(t, c.state, c.answer, c.args...)
		if !slices.Equal(asked, c.want) {
			t.Errorf("%s, %q, answer %s: asked for %q, not %q", c.state, c.args, c.answer, asked, c.want)
		}
		if refused := c.answer == "1"; strings.Contains(said, "goes on") != refused || strings.Contains(said, "another world") != refused {
			t.Errorf("%s, %q, answer %s: says %q", c.state, c.args, c.answer, said)
		}
	}
}
