package systemd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/load"
	"gracevisor/test/siege"
	"gracevisor/test/systemd/machine"
)

// place is a machine with the package and two apps, which is besieged.
type place struct{ *service }

// besieged boots a machine, and installs a version of the package and the apps:
// one of HTTP on port 8080, one of TCP on port 8081.
func besieged(t *testing.T, version string, prepare ...func(*service)) *place {
	t.Helper()
	p := &place{boot(t)}
	for _, f := range prepare {
		f(p.service)
	}
	web := demo()
	web.keys += "idle_timeout: 600\nheader_timeout: 600\n"
	p.configure(web, app{name: "line", port: 8081, flags: []string{"--mode=tcp"}, keys: "proxy: tcp\n"})
	p.install(version)
	p.awaitDaemon()
	p.awaitSettled()
	return p
}

// awaitSettled waits until each app has one instance, which serves, and there is
// one worker.
func (p *place) awaitSettled() {
	p.t.Helper()
	p.awaitServing("demo")
	p.awaitServing("line")
	p.worker()
}

// target is what is besieged.
func (p *place) target() siege.Target {
	return siege.Target{Web: "127.0.0.1:8080", Line: "127.0.0.1:8081", Dial: p.Dial}
}

// under makes something happen with the loads at work, until each client has been
// served again, and records what was counted.
func (p *place) under(event string, all []load.Options, do func(*siege.Siege)) *load.Report {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), machine.DeadMan)
	defer cancel()
	under, err := siege.Begin(ctx, all...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer under.End() // also after a failure
	do(under)
	p.await(under, 2)
	report := under.End()
	if err := siege.Record(event, report); err != nil {
		p.t.Error(err)
	}
	p.t.Logf("%s:\n%v", event, report)
	return report
}

// await waits until each client has made n requests more.
func (p *place) await(under *siege.Siege, n int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), machine.DeadMan)
	defer cancel()
	if err := under.Await(ctx, n); err != nil {
		p.t.Fatal(err)
	}
}

// whole is the load of all kinds, idle connections among them.
func (p *place) whole() []load.Options {
	return append([]load.Options{p.target().Quiet()}, p.target().Steady()...)
}

// unbroken fails the test if anything has failed, or if a lasting connection had
// to be made anew.
func (p *place) unbroken(report *load.Report) {
	p.t.Helper()
	if err := siege.Unbroken(report); err != nil {
		p.t.Error(err)
	}
}

// pids are the processes of the apps.
func (p *place) pids() map[string]int {
	p.t.Helper()
	return map[string]int{"demo": p.awaitServing("demo"), "line": p.awaitServing("line")}
}

// samePIDs fails the test if an app has another process than before.
func (p *place) samePIDs(before map[string]int) {
	p.t.Helper()
	if now := p.pids(); !maps.Equal(now, before) {
		p.t.Errorf("the apps' processes were %v and are %v", before, now)
	}
}

// belongings are what there must be as much of after an event as before.
type belongings struct {
	// stored is the number of files in systemd's store.
	stored string
	// fds, goroutines and resident (in KiB) are those of the daemon.
	fds, goroutines, resident int
	// leaves and processes are their names, without the numbers that grow.
	leaves, processes []string
}

const (
	moreGoroutines = 8
	moreResident   = 32 << 10
)

func (p *place) belongings() belongings {
	p.t.Helper()
	pid := p.MainPID(daemonUnit)
	b := belongings{stored: p.stored()}
	b.fds = p.number(fmt.Sprintf("ls /proc/%d/fd 2>/dev/null | wc -l", pid))
	b.resident = p.number(fmt.Sprintf("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/%d/status 2>/dev/null", pid))
	if status, err := p.status(); err == nil {
		b.goroutines = status.Goroutines
	}
	b.leaves = lines(p.Shell("find /sys/fs/cgroup" + appsGroup + " -mindepth 1 -type d | sed 's/[0-9]//g' | sort"))
	for _, name := range lines(p.Run("ps", "-eo", "comm=")) {
		if name == "gracevisord" || name == "testapp" {
			b.processes = append(b.processes, name)
		}
	}
	slices.Sort(b.processes)
	return b
}

// number is what a line of sh(1) prints, or 0 if that is none.
func (p *place) number(line string) int {
	p.t.Helper()
	n, _ := strconv.Atoi(strings.TrimSpace(p.Shell(line)))
	return n
}

// asBefore waits until everything is as it was.
func (p *place) asBefore(before belongings) {
	p.t.Helper()
	p.Await(fmt.Sprintf("everything to be as it was: %+v", before), func() (string, bool) {
		now := p.belongings()
		return fmt.Sprintf("%+v", now), now.stored == before.stored &&
			now.fds <= before.fds && now.goroutines <= before.goroutines+moreGoroutines &&
			now.resident <= before.resident+moreResident &&
			slices.Equal(now.leaves, before.leaves) && slices.Equal(now.processes, before.processes)
	})
}

// awaitNextDaemon waits until another daemon than before answers.
func (p *place) awaitNextDaemon(before int) {
	p.t.Helper()
	p.Await("another daemon to answer", func() (string, bool) {
		status, err := p.status()
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("pid %d", status.PID), status.PID != before
	})
}

// crash kills the daemon, and waits until the next one answers.
func (p *place) crash() {
	p.t.Helper()
	daemon := p.MainPID(daemonUnit)
	p.Kill("KILL", daemon)
	p.awaitNextDaemon(daemon)
}

// onlyInFlight fails the test if more has failed than each client's request under
// way at each kill of a worker, or if a connection was refused.
func (p *place) onlyInFlight(report *load.Report, kills int) {
	p.t.Helper()
	for kind, k := range report.Kinds {
		if k.Failures > siege.Lasting*kills {
			p.t.Errorf("%s: %d failures of %d requests at %d kills", kind, k.Failures, k.Requests, kills)
		}
		for _, text := range k.Errors {
			if strings.Contains(text, "refused") || strings.Contains(text, "dial") {
				p.t.Errorf("%s: %s", kind, text)
			}
		}
	}
}

// killWorker kills the newest worker, and waits until another one serves.
func (p *place) killWorker() {
	p.t.Helper()
	before := p.seasonedWorker()
	p.Kill("KILL", before.PID)
	p.Await("another worker", func() (string, bool) {
		now := p.newestWorker()
		return fmt.Sprintf("%+v", now), now.PID != before.PID && now.State == "serving"
	})
}

// seasonedWorker waits until the newest worker has served for so long that, when
// it is killed, it is replaced at once.
func (p *place) seasonedWorker() control.Worker {
	p.t.Helper()
	var newest control.Worker
	p.Await("a worker that has served for a while", func() (string, bool) {
		newest = p.newestWorker()
		return fmt.Sprintf("%+v", newest), newest.State == "serving" && time.Since(newest.Since) > 1100*time.Millisecond
	})
	return newest
}

func (p *place) newestWorker() control.Worker {
	p.t.Helper()
	var newest control.Worker
	p.Await("a worker", func() (string, bool) {
		status, err := p.status()
		if err != nil {
			return err.Error(), false
		}
		if n := len(status.Workers); n > 0 {
			newest = status.Workers[n-1]
		}
		return fmt.Sprintf("%+v", status.Workers), newest.PID != 0
	})
	return newest
}
