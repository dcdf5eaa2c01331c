package systemd

import (
	"strings"
	"testing"

	"gracevisor/test/siege"
)

// between are what an administrator may do to systemd at any time.
func (p *place) between(n int) {
	p.t.Helper()
	switch n % 4 {
	case 1:
		p.Run("systemctl", "daemon-reload")
	case 3:
		p.Run("systemctl", "daemon-reexec")
	}
}

// TestSurviveRestart restarts the service, with systemd itself being reloaded and
// executed anew in between.
func TestSurviveRestart(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, worker, before := p.pids(), p.worker(), p.belongings()
	report := p.under("systemctl restart", p.whole(), func(*siege.Siege) {
		for n := range siege.Times(4, 20) {
			daemon := p.MainPID(daemonUnit)
			p.Run("systemctl", "restart", "gracevisor")
			p.awaitNextDaemon(daemon)
			p.between(n)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameWorker(worker)
	p.asBefore(before)
	if status, err := p.status(); err != nil || status.LastCrash != nil {
		t.Errorf("a restart counts as a crash: %+v, %v", status, err)
	}
}

func (p *place) sameWorker(before int) {
	p.t.Helper()
	if now := p.worker(); now != before {
		p.t.Errorf("the worker was %d and is %d", before, now)
	}
}

// TestSurviveKill kills the daemon, which then tells of it.
func TestSurviveKill(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, worker, before := p.pids(), p.worker(), p.belongings()
	report := p.under("kill -9 of the supervisor, systemd", p.whole(), func(*siege.Siege) {
		for n := range siege.Times(2, 20) {
			p.crash()
			p.between(n)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameWorker(worker)
	p.asBefore(before)
	if status, err := p.status(); err != nil || status.LastCrash == nil {
		t.Errorf("the crash is not told: %+v, %v", status, err)
	}
	p.Await("the crash to be told to systemd", func() (string, bool) {
		text := p.Property(daemonUnit, "StatusText")
		return text, strings.Contains(text, "last crash of the daemon")
	})
}

// TestSurviveKillOfAll kills all that is in the unit of the daemon.
func TestSurviveKillOfAll(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, worker, before := p.pids(), p.worker(), p.belongings()
	report := p.under("kill -9 of everything in gracevisor.service", p.whole(), func(*siege.Siege) {
		for range siege.Times(2, 20) {
			daemon := p.MainPID(daemonUnit)
			p.Run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "gracevisor.service")
			p.awaitNextDaemon(daemon)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameWorker(worker)
	p.asBefore(before)
}

// TestSurviveKillOfWorker kills the worker: only what it had in flight may fail, and
// nobody is refused.
func TestSurviveKillOfWorker(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, before, daemon := p.pids(), p.belongings(), p.MainPID(daemonUnit)
	kills := siege.Times(2, 20)
	report := p.under("kill -9 of the worker, systemd", p.target().Steady(), func(under *siege.Siege) {
		for range kills {
			p.killWorker()
			p.await(under, 1)
		}
	})
	p.onlyInFlight(report, kills)
	p.samePIDs(pids)
	p.awaitSettled()
	p.asBefore(before)
	if now := p.MainPID(daemonUnit); now != daemon {
		t.Errorf("the daemon was %d and is %d", daemon, now)
	}
}

// TestSurviveKillOfBoth kills worker and daemon at the same time.
func TestSurviveKillOfBoth(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, before := p.pids(), p.belongings()
	kills := siege.Times(2, 20)
	report := p.under("kill -9 of worker and supervisor, systemd", p.target().Steady(), func(under *siege.Siege) {
		for range kills {
			worker, daemon := p.seasonedWorker().PID, p.MainPID(daemonUnit)
			p.Kill("KILL", worker)
			p.Kill("KILL", daemon)
			p.awaitNextDaemon(daemon)
			p.await(under, 1)
		}
	})
	p.onlyInFlight(report, kills)
	p.samePIDs(pids)
	p.awaitSettled()
	p.asBefore(before)
}

// TestSurviveReexec lets the daemon execute itself, with systemd itself being
// reloaded and executed anew in between.
func TestSurviveReexec(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion)
	pids, worker, before, daemon := p.pids(), p.worker(), p.belongings(), p.MainPID(daemonUnit)
	report := p.under("re-exec, systemd", p.whole(), func(*siege.Siege) {
		for n := range siege.Times(4, 20) {
			p.Run("gracevisorctl", "reexec")
			p.between(n)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameWorker(worker)
	p.asBefore(before)
	if now := p.MainPID(daemonUnit); now != daemon {
		t.Errorf("the daemon was %d and is %d", daemon, now)
	}
}

// TestSurviveHang stops the daemon with a signal until systemd's watchdog has
// ended it.
func TestSurviveHang(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion, func(s *service) {
		s.Write("/etc/systemd/system/gracevisor.service.d/watchdog.conf", "[Service]\nWatchdogSec=4s\n")
	})
	pids, worker, before := p.pids(), p.worker(), p.belongings()
	report := p.under("SIGSTOP until the watchdog acts", p.whole(), func(*siege.Siege) {
		for range siege.Times(1, 3) {
			daemon := p.MainPID(daemonUnit)
			p.Kill("STOP", daemon)
			p.awaitNextDaemon(daemon)
		}
	})
	p.unbroken(report)
	p.samePIDs(pids)
	p.sameWorker(worker)
	p.asBefore(before)
}

// TestSurviveFullStore lets the store be too small for all that there is. It is
// told, a restart of the daemon and a crash leave everybody who comes then
// served, and no app runs twice.
func TestSurviveFullStore(t *testing.T) {
	t.Parallel()
	p := besieged(t, firstVersion, func(s *service) {
		s.Write("/etc/systemd/system/gracevisor.service.d/store.conf", "[Service]\nFileDescriptorStoreMax=5\n")
	})
	p.awaitMessage("fd store is full")
	before := p.belongings()
	for range siege.Times(2, 10) {
		p.crash()
		p.awaitSettled()
		p.mustGet(8080, "/info")
		p.Run("systemctl", "restart", "gracevisor")
		p.awaitSettled()
		p.mustGet(8080, "/info")
	}
	p.Run("gracevisorctl", "restart", "demo", "line")
	p.awaitSettled()
	p.Await("no process to be there twice", func() (string, bool) {
		now := p.belongings()
		return strings.Join(now.processes, " "), strings.Join(now.processes, " ") == strings.Join(before.processes, " ")
	})
}
