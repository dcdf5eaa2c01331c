package survival

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestReexecIsTold: the service manager is told that a reload begins and that it is
// over, by the same process.
func TestReexecIsTold(t *testing.T) {
	t.Parallel()
	s := served(t)
	s.Await("the daemon to be ready", func() bool { return s.service.Told().Ready > 0 })
	daemon, before := s.Status().PID, s.service.Told()
	s.Must("reexec")
	s.Await("the reload to be over", func() bool { return s.service.Told().Ready > before.Ready })
	if told := s.service.Told(); told.Reloading != before.Reloading+1 {
		t.Errorf("told before %+v, and then %+v", before, told)
	}
	if now := s.Status().PID; now != daemon {
		t.Errorf("the daemon was %d and is %d", daemon, now)
	}
}

// TestForeignDescriptorsEnd: what the daemon was started with besides its files
// goes to no worker, to no app, and through no exec.
func TestForeignDescriptorsEnd(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.service = s.Serve()
	foreign := s.WriteFile("foreign", "of somebody else")
	s.service.Leak(foreign)
	s.begin()
	s.service.Crash() // a shell has opened it for this one
	s.AwaitAnswer()
	s.Must("reexec")
	s.Must("restart", web)
	s.awaitSettled()
	for _, p := range s.Processes() {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && target == foreign && p.Name != "sh" {
				t.Errorf("%v has it", p)
			}
		}
	}
}
