package process

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// TestBirth: a process is found again by its birth until it has gone, and one
// that is wrong in any part finds nothing.
func TestBirth(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	birth, err := BirthOf(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	pidfd, err := birth.Open()
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := PIDOf(pidfd); err != nil || pid != child.Process.Pid {
		t.Errorf("its pidfd is of %d (%v)", pid, err)
	}
	earlier, otherBoot := birth, birth
	earlier.Started, otherBoot.Boot = "1", "another"
	for _, wrong := range []Birth{earlier, otherBoot} {
		if _, err := wrong.Open(); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if _, err := birth.Open(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("of one that has gone: %v", err)
	}
	if pid, err := PIDOf(pidfd); err != nil || pid != 0 {
		t.Errorf("the pidfd of one that has gone is of %d (%v)", pid, err)
	}
	if err := pidfd.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPIDOfWhatIsNoPidfd(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if pid, err := PIDOf(null); err == nil {
		t.Errorf("got %d", pid)
	}
}
