package systemd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestBusJobs looks at a job, calls it off, and hears of its end.
func TestBusJobs(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo())
	before := s.awaitServing("demo")
	s.configure(demo("--listen-after=1h"))
	monitor := s.subscribe()
	said := s.bus(busRoot, busManager, "ReloadApp", "s", "demo")
	job := strings.Trim(strings.TrimPrefix(said, "o "), `"`)
	number := strings.TrimPrefix(job, "/org/gracevisor1/job/")
	if got, want := s.bus(busRoot, busManager, "ListJobs"), fmt.Sprintf(`a(ussso) 1 %s "reload" "demo" "running" "%s"`, number, job); got != want {
		t.Errorf("ListJobs: %s, want %s", got, want)
	}
	if got := s.bus(busRoot, busManager, "GetJob", "u", number); got != said {
		t.Errorf("GetJob: %s", got)
	}
	for name, want := range map[string]string{"Id": "u " + number, "JobType": `s "reload"`, "App": `s "demo"`, "State": `s "running"`} {
		if got := s.property(job, busJob, name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := s.property(busDemo, busApp, "ActiveState"); got != `s "reloading"` {
		t.Errorf("ActiveState: %s", got)
	}
	if got := s.Run("gracevisorctl", "--bus", "list-jobs"); !strings.Contains(got, number+"    reload  demo  running") {
		t.Errorf("list-jobs:\n%s", got)
	}
	s.describesItself(job, busJob)
	s.bus(job, busJob, "Cancel")
	s.awaitJobs()
	s.refused("called off before", busCall(busRoot, busManager, "CancelJob", "u", number)...)
	s.bus(busRoot, busManager, "RestartApp", "s", "demo") // by the configuration in force
	s.awaitJobs()
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
	_, number, _ = strings.Cut(s.bus(busRoot, busManager, "ReloadApp", "s", "demo"), "/job/")
	s.bus(busRoot, busManager, "CancelJob", "u", strings.Trim(number, `"`))
	s.awaitJobs()
	s.bus(busRoot, busManager, "ReloadApp", "s", "demo")
	jobs := s.Run("gracevisorctl", "--json", "list-jobs")
	var list struct{ Jobs []struct{ ID int } }
	if err := json.Unmarshal([]byte(jobs), &list); err != nil || len(list.Jobs) != 1 {
		t.Fatalf("%s: %v", jobs, err)
	}
	s.Run("gracevisorctl", "cancel", fmt.Sprint(list.Jobs[0].ID))
	s.Await("the monitor to have heard of all", func() (string, bool) {
		got := monitor.Output()
		return got, strings.Contains(got, `"kind":"job-new"`) && strings.Contains(got, `"result":"canceled"`) &&
			strings.Contains(got, `"result":"done"`) && strings.Contains(got, `"kind":"app-changed"`) && strings.Contains(got, `"reloading":true`)
	})
}

// TestBusJobOutlivesTheDaemon: who waits for a restart on the bus waits through
// a re-execution and a crash of the daemon, and hears the result.
func TestBusJobOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo("--options-file=/srv/options"))
	before := s.awaitServing("demo")
	s.beginRestart()
	restart := s.Start("gracevisorctl", "--bus", "restart", "demo")
	jobs := s.awaitJob()
	monitor := s.Start("gracevisorctl", "--json", "monitor") // over the control socket
	goesOn := func(after string) {
		t.Helper()
		s.Await("the job after "+after, func() (string, bool) {
			got := s.Try(busCall(busRoot, busManager, "ListJobs")...)
			return got.String(), strings.TrimSpace(got.Stdout) == jobs
		})
	}
	s.underLoad(func() {
		s.Run("gracevisorctl", "reexec")
		goesOn("the re-execution")
		daemon := s.MainPID(daemonUnit)
		s.Kill("KILL", daemon)
		s.awaitOtherDaemon(daemon)
		goesOn("the crash")
		s.endRestart()
		if code := restart.Code(); code != 0 {
			t.Errorf("the restart: exit status %d\n%s", code, restart.Output())
		}
	})
	s.Await("the monitor to have heard of it", func() (string, bool) {
		got := monitor.Output()
		return got, strings.Contains(got, `"kind":"job-removed"`) && strings.Contains(got, `"result":"done"`)
	})
	if after := s.awaitServing("demo"); after == before {
		t.Error("the app was not restarted")
	}
}

// beginRestart has the next instance of demo, which has the option for it, not get
// ready before endRestart.
func (s *service) beginRestart() {
	s.t.Helper()
	s.Shell("mkdir -p /srv && echo 503 > /srv/health && echo --health-file=/srv/health > /srv/options")
}

func (s *service) endRestart() {
	s.t.Helper()
	s.Run("rm", "/srv/health")
}

// awaitJob waits until a restart of demo is under way, and returns the list of
// jobs.
func (s *service) awaitJob() (jobs string) {
	s.t.Helper()
	s.Await("the job", func() (string, bool) {
		jobs = s.bus(busRoot, busManager, "ListJobs")
		return jobs, strings.Contains(jobs, `"restart" "demo" "running"`)
	})
	return jobs
}

// TestBusHearsTheEnd: who waits on the bus hears how a stop of the daemon ends
// what is under way.
func TestBusHearsTheEnd(t *testing.T) {
	t.Parallel()
	s := onBus(t, demo("--options-file=/srv/options"))
	s.awaitServing("demo")
	s.beginRestart()
	restart := s.Start("gracevisorctl", "--bus", "restart", "demo")
	s.awaitJob()
	s.subscribe()
	monitor := s.busMonitor()
	s.Run("systemctl", "stop", socketUnit, daemonUnit)
	if code := restart.Code(); code != 1 || strings.Contains(restart.Output(), "has left the bus") {
		t.Errorf("the restart: exit status %d\n%s", code, restart.Output())
	}
	s.awaitSignal(monitor, "JobRemoved", `"demo"`)
	if got := s.Property(daemonUnit, "ActiveState"); got != "inactive" {
		t.Errorf("who waited has started the service: it is %s", got)
	}
}
