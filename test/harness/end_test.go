package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/test/events"
)

// recorder is a test that notes complaints instead of failing.
type recorder struct {
	testing.TB
	complaints []string
	log        strings.Builder
}

func (r *recorder) Helper()                    {}
func (r *recorder) Cleanup(func())             {}
func (r *recorder) Context() context.Context   { return context.Background() }
func (r *recorder) Failed() bool               { return len(r.complaints) > 0 }
func (r *recorder) Logf(f string, args ...any) { fmt.Fprintf(&r.log, f+"\n", args...) }
func (r *recorder) Errorf(f string, args ...any) {
	r.complaints = append(r.complaints, fmt.Sprintf(f, args...))
}

// pretend makes a Box whose daemon is a test app with flags of its own.
func pretend(t *testing.T, flags ...string) (*Box, *recorder) {
	t.Helper()
	r := &recorder{TB: t}
	box := New(r)
	path, err := Binary("testapp")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := box.keeper.start(startOrder{
		Args: append([]string{path}, flags...), Dir: box.Dir, Output: box.path("daemon.out"), UID: os.Getuid(),
		Env: append(box.environment(), events.Env+"="+box.path("events"), "GRACEVISOR_INSTANCE=false/1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	box.daemon = &Daemon{PID: pid, box: box}
	box.NextEvent(events.Up, "false")
	return box, r
}

// TestEndComplains lets a daemon leave behind what it must not.
func TestEndComplains(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		flags   []string
		prepare func(*Box)
		want    []string
	}{
		{"nothing", nil, func(*Box) {}, nil},
		{"files that stay", nil, func(b *Box) { b.WriteFile("run/rpc.token", "x") }, nil},
		{"a process", []string{"--grandchildren=1", "--stubborn"}, func(*Box) {}, []string{"left a process behind"}},
		{"a socket and a temporary file", nil, func(b *Box) {
			b.WriteFile("run/apps/socket", "")
			b.WriteFile("tmp/x", "")
		}, []string{"run/apps/socket behind", "tmp/x behind"}},
		{"a race", nil, func(b *Box) { b.WriteFile("race/report.1", "WARNING: DATA RACE\nhere") }, []string{"race detector reports in report.1"}},
		{"a race on standard error", []string{"--say=WARNING: DATA RACE"}, func(*Box) {}, []string{"race detector reports in daemon.out"}},
		{"an exit status", []string{"--exit-after=1h", "--stop-delay=1h"}, func(b *Box) {
			_ = b.keeper.signal(b.daemon.PID, 9)
		}, []string{"ended with signal killed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			box, r := pretend(t, tt.flags...)
			tt.prepare(box)
			box.end()
			if len(r.complaints) != len(tt.want) {
				t.Errorf("complaints %q, want %q", r.complaints, tt.want)
			}
			for i, want := range tt.want {
				if i < len(r.complaints) && !strings.Contains(r.complaints[i], want) {
					t.Errorf("complaint %q, want %q", r.complaints[i], want)
				}
			}
			if dumped := strings.Contains(r.log.String(), "what was in the box"); dumped != r.Failed() {
				t.Errorf("failed is %v, dumped is %v", r.Failed(), dumped)
			}
			if _, err := os.Stat(box.Dir); err == nil {
				t.Errorf("the folder %s stays", filepath.Base(box.Dir))
			}
			if alive(box.daemon.PID) {
				t.Errorf("pid %d lives", box.daemon.PID)
			}
		})
	}
}
