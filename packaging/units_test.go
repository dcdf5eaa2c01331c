package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gracevisor/internal/activation"
	"gracevisor/test/unavailable"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// need returns the path of a program. Without it the test is skipped; where
// CI=true it fails.
func need(t *testing.T, program string) string {
	t.Helper()
	return unavailable.Program(t, program)
}

// settings are those of a unit file, "Section.Name=value".
func settings(t *testing.T, file string) (found []string) {
	t.Helper()
	section := ""
	for line := range strings.Lines(read(t, file)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			found = append(found, section+"."+line)
		}
	}
	return found
}

// TestNeededSettings names what must not be lost. The reasons stand in the unit
// files.
func TestNeededSettings(t *testing.T) {
	for file, needed := range map[string][]string{
		"systemd/gracevisor.service": {
			"Unit.StartLimitIntervalSec=0", "Unit.Wants=gracevisor-apps.service gracevisor-running.target", "Unit.After=gracevisor-apps.service",
			"Install.Alias=dbus-org.gracevisor1.service", "Unit.After=dbus.socket",
			"Service.Type=notify", "Service.NotifyAccess=main", "Service.ExecReload=/usr/bin/gracevisorctl reload",
			"Service.Restart=always", "Service.RestartSec=100ms", "Service.KillMode=mixed", "Service.WatchdogSec=20s",
			"Service.RuntimeDirectory=gracevisor", "Service.RuntimeDirectoryPreserve=restart", "Service.StateDirectory=gracevisor",
			"Service.LogsDirectory=gracevisor", "Service.ConfigurationDirectory=gracevisor", "Service.Slice=gracevisor.slice",
			"Service.OOMPolicy=continue", "Service.TasksMax=infinity", "Service.SystemCallErrorNumber=EPERM",
		},
		"systemd/gracevisor.socket": {
			"Socket.TriggerLimitIntervalSec=0", "Socket.BindIPv6Only=both", "Socket.FreeBind=yes",
			"Socket.Backlog=" + strconv.Itoa(activation.Backlog), "Install.WantedBy=sockets.target",
			// Where the generator writes to, and nothing else makes.
			"Unit.ConditionPathExists=/run/systemd/generator/gracevisor.socket.d/50-gracevisor.conf",
		},
		"systemd/gracevisor-apps.service": {
			"Unit.StopPropagatedFrom=gracevisor-running.target", "Unit.RefuseManualStop=yes", "Unit.StartLimitIntervalSec=0",
			"Service.Type=forking", "Service.GuessMainPID=no", "Service.ExecStart=/usr/sbin/gracevisord holder",
			"Service.Delegate=yes", "Service.KillMode=control-group", "Service.TasksMax=infinity", "Service.OOMPolicy=continue",
			"Service.RuntimeDirectory=gracevisor-apps", "Service.Slice=gracevisor.slice",
		},
		"systemd/gracevisor-running.target": {"Unit.PartOf=gracevisor.service", "Unit.RefuseManualStop=yes"},
	} {
		have := settings(t, file)
		for _, setting := range needed {
			if !slices.Contains(have, setting) {
				t.Errorf("%s lacks %s", file, setting)
			}
		}
	}
}

// TestForbiddenSettings names what is right for other services.
func TestForbiddenSettings(t *testing.T) {
	for name, reason := range map[string]string{
		"RestrictNamespaces":          "refuses clone3, by which apps are started in their cgroup",
		"ProtectControlGroups":        "limits of apps could not be set",
		"PrivateTmp":                  "a crash of the daemon would empty /tmp under living apps",
		"MemoryDenyWriteExecute":      "apps compile at run time",
		"NoNewPrivileges":             "apps may use sudo",
		"ProtectHome":                 "apps are deployed there",
		"DelegateSubgroup":            "is of systemd 254",
		"FileDescriptorStorePreserve": "is of systemd 254",
		"RestartSteps":                "is of systemd 254",
		"PIDFile":                     "there is none",
		"BindsTo":                     "would stop the apps with the daemon",
		"PartOf":                      "would restart the apps with the daemon",
		"Requires":                    "nothing must fail because of something else",
	} {
		for _, file := range []string{"systemd/gracevisor.service", "systemd/gracevisor.socket", "systemd/gracevisor-apps.service", "systemd/gracevisor.slice"} {
			for _, setting := range settings(t, file) {
				if _, s, _ := strings.Cut(setting, "."); strings.HasPrefix(s, name+"=") {
					t.Errorf("%s has %s: it %s", file, name, reason)
				}
			}
		}
	}
	for _, setting := range settings(t, "systemd/gracevisor.service") {
		if setting == "Service.Type=notify-reload" {
			t.Error("Type=notify-reload is of systemd 253, and reloads twice beside ExecReload=")
		}
	}
}

// TestUnitsVerify lets systemd judge the units, alone and with drop-ins that the
// generator writes.
func TestUnitsVerify(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	dir := t.TempDir()
	files, err := filepath.Glob("systemd/gracevisor*")
	if err != nil || len(files) != 5 {
		t.Fatalf("units %q: %v", files, err)
	}
	var units []string
	for _, file := range files {
		// The programs are not installed here.
		text := read(t, file)
		for _, program := range []string{"/usr/sbin/gracevisord", "/usr/bin/gracevisorctl"} {
			text = strings.ReplaceAll(text, program, "/bin/true")
		}
		unit := filepath.Join(dir, filepath.Base(file))
		write(t, unit, text)
		units = append(units, unit)
	}
	verify := func() string {
		out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := verify(); out != "" {
		t.Errorf("the units:\n%s", out)
	}
	dropIn := filepath.Join(dir, "gracevisor.socket.d/50-gracevisor.conf")
	write(t, dropIn, read(t, "../cmd/gracevisor-generator/testdata/apps.conf"))
	if out := verify(); out != "" {
		t.Errorf("with a drop-in of the generator:\n%s", out)
	}
	write(t, dropIn, "[Socket]\nListenStream=nonsense:x\n")
	if out := verify(); !strings.Contains(out, "nonsense") {
		t.Errorf("a drop-in is not read, so the above means nothing: %q", out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUsers(t *testing.T) {
	sysusers := need(t, "systemd-sysusers")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: systemd-sysusers works for root only")
	}
	file, err := filepath.Abs("systemd/sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/.keep"), "")
	for range 2 { // the second time there is nothing to do
		if out, err := exec.Command(sysusers, "--root="+root, "--replace=/usr/lib/sysusers.d/gracevisor.conf", file).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	passwd, group := read(t, filepath.Join(root, "etc/passwd")), read(t, filepath.Join(root, "etc/group"))
	if !strings.HasPrefix(passwd, "gracevisor-proxy:x:") || !strings.HasSuffix(passwd, ":/usr/sbin/nologin\n") || strings.Count(passwd, "\n") != 1 {
		t.Errorf("passwd:\n%s", passwd)
	}
	if !strings.Contains("\n"+group, "\ngracevisor:x:") || !strings.Contains("\n"+group, "\ngracevisor-proxy:x:") {
		t.Errorf("group:\n%s", group)
	}
}
