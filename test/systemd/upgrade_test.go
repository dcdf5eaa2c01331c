package systemd

import (
	"fmt"
	"strings"
	"testing"

	"gracevisor/test/siege"
)

// TestSurviveUpgrade upgrades and downgrades the package.
func TestSurviveUpgrade(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, before := p.pids(), p.belongings()
	for _, way := range []struct{ event, version string }{
		{"upgrade of the package", nextVersion}, {"downgrade of the package", firstVersion},
	} {
		report := p.under(way.event, p.whole(), func(*siege.Siege) { p.install(way.version) })
		p.unbroken(report)
		p.samePIDs(pids)
		p.awaitSettled()
		if status, err := p.status(); err != nil || !strings.Contains(status.Version, way.version) {
			t.Errorf("after the %s: %+v, %v", way.event, status, err)
		}
		if said := p.Run("gracevisorctl", "version"); strings.Contains(said, "differ") {
			t.Errorf("after the %s: %s", way.event, said)
		}
		p.asBefore(before)
	}
}

// TestSurviveRefusedUpgrade installs a version that can not take over: the package
// is installed, says so, and the daemon goes on.
func TestSurviveRefusedUpgrade(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, before, daemon := p.pids(), p.belongings(), p.MainPID(daemonUnit)
	path := p.breakPackage(firstVersion, "2.0.0")
	var said string
	report := p.under("upgrade that is refused", p.whole(), func(*siege.Siege) {
		result := p.Try("apt-get", "install", "--yes", "-o", "Dpkg::Use-Pty=0", path)
		if said = result.Stdout + result.Stderr; result.Code != 0 {
			t.Fatal(result)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameDaemon(daemon)
	p.asBefore(before)
	for _, want := range []string{"it is of another world", "the daemon that runs goes on"} {
		if !strings.Contains(said, want) {
			t.Errorf("apt-get was to say %q:\n%s", want, said)
		}
	}
	if installed := p.Run("dpkg-query", "--showformat=${Version} ${Status}", "--show", "gracevisor"); installed != "2.0.0-1 install ok installed" {
		t.Errorf("installed is %s", installed)
	}
	p.awaitMessage("it is of another world")

	// The next one that can take over does.
	report = p.under("upgrade after a refused one", p.whole(), func(*siege.Siege) { p.install(nextVersion) })
	p.unbroken(report)
	p.samePIDs(pids)
	if status, err := p.status(); err != nil || !strings.Contains(status.Version, nextVersion) {
		t.Errorf("%+v, %v", status, err)
	}
}

// breakPackage makes a package in the machine out of a version, whose daemon
// refuses any state, and returns its path.
func (p *place) breakPackage(of, version string) string {
	p.t.Helper()
	deb, err := built.deb(of)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Copy(deb, "/root/whole.deb")
	path := fmt.Sprintf("/root/gracevisor_%s.deb", version)
	p.Run("dpkg-deb", "--raw-extract", "/root/whole.deb", "/root/broken")
	p.Run("sed", "-i", "s/^Version:.*/Version: "+version+"-1/", "/root/broken/DEBIAN/control")
	p.Write("/root/broken/usr/sbin/gracevisord", "#!/bin/sh\necho it is of another world >&2\nexit 1\n")
	p.Run("chmod", "755", "/root/broken/usr/sbin/gracevisord")
	p.Run("dpkg-deb", "--build", "/root/broken", path)
	return path
}

// TestSurviveRestartWithAChange restarts the service after a change of the
// configuration, and kills the daemon that is to apply it: the next one does.
func TestSurviveRestartWithAChange(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	for n := range siege.Times(2, 20) {
		web := p.awaitServing("demo")
		line := p.awaitServing("line")
		p.configure(demo(fmt.Sprintf("--say=%d", n)))
		p.Run("systemctl", "restart", "gracevisor")
		if result := p.Try("systemctl", "kill", "--signal=KILL", "gracevisor.service"); result.Code != 0 {
			t.Log(result) // it is just being started
		}
		p.Await("the change to be applied", func() (string, bool) {
			status, err := p.status()
			if err != nil {
				return err.Error(), false
			}
			pid := 0
			for _, a := range status.Apps {
				if a.Name == "demo" && len(a.Instances) == 1 && a.State == "serving" {
					pid = a.Instances[0].PID
				}
			}
			return fmt.Sprintf("%+v", status.Apps), pid != 0 && pid != web
		})
		if now := p.awaitServing("line"); now != line {
			t.Errorf("the other app was %d and is %d", line, now)
		}
	}
}
