package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"gracevisor/internal/config"
)

// TestConfiguration: what the package installs is valid, and so is every option
// that it comments out ("#key", where prose has "# ").
func TestConfiguration(t *testing.T) {
	shipped := read(t, "etc/gracevisor.yaml")
	option := regexp.MustCompile(`(?m)^( *)#([^ \n])`)
	if len(option.FindAllString(shipped, -1)) < 10 {
		t.Fatal("no options are commented out")
	}
	example := regexp.MustCompile(`(?m)^#   `)
	_, app, _ := strings.Cut(shipped, "#   name: shop")
	app, _, _ = strings.Cut(app, "\n#\n")
	for name, text := range map[string]string{
		"as it is":             shipped,
		"with all its options": option.ReplaceAllString(shipped, "$1$2"),
		"with the app in it":   shipped,
	} {
		dir := t.TempDir()
		apps := filepath.Join(dir, "apps.d")
		if err := os.Mkdir(apps, 0o755); err != nil {
			t.Fatal(err)
		}
		want := strings.Count(text, "\n    - name:")
		if name == "with the app in it" {
			write(t, filepath.Join(apps, "shop.yaml"), example.ReplaceAllString("#   name: shop"+app, ""))
			want = 1
		}
		write(t, filepath.Join(dir, config.FileName), strings.ReplaceAll(text, "/etc/gracevisor/apps.d", apps))
		plan, err := config.Load(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(plan.Warnings) != 0 || len(plan.Apps) != want || plan.Log.Path != "/var/log/gracevisor/gracevisor.log" {
			t.Errorf("%s: %d apps, want %d; log %s; warnings %q", name, len(plan.Apps), want, plan.Log.Path, plan.Warnings)
		}
	}
}

// scripts are all that a shell runs.
func scripts(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && filepath.Ext(path) == "" && strings.HasPrefix(read(t, path), "#!/bin/sh\n") {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 7 {
		t.Fatalf("scripts %q: %v", found, err)
	}
	return found
}

func TestScriptsPassShellcheck(t *testing.T) {
	shellcheck := need(t, "shellcheck")
	if out, err := exec.Command(shellcheck, scripts(t)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNothingRestartsTheSocket: nor is it stopped but for a removal.
func TestNothingRestartsTheSocket(t *testing.T) {
	restart := regexp.MustCompile(`restart\b[^"'\n]*(socket|\$unit|slice)`)
	for _, script := range scripts(t) {
		if match := restart.FindString(read(t, script)); match != "" {
			t.Errorf("%s: %s", script, match)
		}
	}
	for _, script := range []string{"deb/prerm", "rpm/preremove"} {
		text := read(t, script)
		socket, service := strings.LastIndex(text, "gracevisor.socket"), strings.LastIndex(text, "gracevisor.service")
		if socket < 0 || service < socket {
			t.Errorf("%s does not stop the socket before the service", script)
		}
	}
}

// TestDescription: every file of the packages exists, and has a mode that no
// umask changes.
func TestDescription(t *testing.T) {
	var description struct {
		Contents []struct {
			Src, Dst, Type string
			FileInfo       struct{ Mode fs.FileMode } `yaml:"file_info"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "nfpm/nfpm.yaml")), &description); err != nil || len(description.Contents) == 0 {
		t.Fatal("no contents", err)
	}
	for _, c := range description.Contents {
		if c.FileInfo.Mode == 0 {
			t.Errorf("%s has no mode", c.Dst)
		}
		if !strings.HasPrefix(c.Src, "${STAGE}/") && c.Type != "dir" {
			if _, err := os.Stat(filepath.Join("..", c.Src)); err != nil {
				t.Error(err)
			}
		}
		if strings.HasPrefix(c.Dst, "/etc/") && c.Type != "dir" && c.Type != "config|noreplace" {
			t.Errorf("%s would be overwritten by an upgrade", c.Dst)
		}
	}
}

func TestNeedrestartTakesItsFile(t *testing.T) {
	perl := need(t, "perl")
	const program = `
defined(do "./systemd/needrestart.conf") or die $@;
for my $unit (@ARGV) { for my $re (keys %{$nrconf{override_rc}}) { print "$unit\n" if $unit =~ /$re/ } }`
	out, err := exec.Command(perl, "-e", program, "gracevisor.service", "gracevisor-apps.service", "gracevisor.socket", "gracevisorX.service").Output()
	if want := "gracevisor.service\ngracevisor-apps.service\n"; err != nil || string(out) != want {
		t.Errorf("it overrides %q: %v", out, err)
	}
}
