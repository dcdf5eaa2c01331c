package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gracevisor/internal/activation"
	"gracevisor/internal/supervisor"
)

// manager is a service manager that a herald talks to.
type manager struct {
	*testing.T
	socket *net.UnixConn
	herald *herald
	// state is what the owner of the state answers; with silent it does not.
	state  supervisor.Summary
	silent bool
}

func newManager(t *testing.T, watchdog time.Duration) *manager {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	n := activation.NewNotifier(slog.New(slog.DiscardHandler))
	n.Watchdog = watchdog
	m := &manager{T: t, socket: socket}
	m.herald = &herald{notifier: n, reloads: make(chan bool, 16), readyAt: time.Now().Add(time.Hour)}
	m.herald.summary = func(ctx context.Context) (supervisor.Summary, error) {
		if m.silent {
			return supervisor.Summary{}, errors.New("no answer in time")
		}
		return m.state, nil
	}
	return m
}

// told returns what the herald has said since the last time.
func (m *manager) told() (lines []string) {
	m.Helper()
	// What has been sent is there already; the end of it is marked.
	m.herald.notifier.Status("end")
	for {
		message := make([]byte, 4096)
		n, err := m.socket.Read(message)
		if err != nil {
			m.Fatal(err)
		}
		if string(message[:n]) == "STATUS=end" {
			return lines
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(message[:n])), "\n")...)
	}
}

func (m *manager) want(lines ...string) {
	m.Helper()
	if got := m.told(); !slices.Equal(got, lines) {
		m.Errorf("it told %q, want %q", got, lines)
	}
}

// TestReadyWhenSettled: not before, and no sign of life is without an answer of
// the owner of the state.
func TestReadyWhenSettled(t *testing.T) {
	m := newManager(t, time.Nanosecond)
	m.silent = true
	m.herald.tell(t.Context())
	m.want()
	m.silent = false
	m.state.Starting = 1
	m.herald.tell(t.Context())
	m.want("STATUS=0 apps serving, 1 starting", "WATCHDOG=1")
	m.state = supervisor.Summary{Serving: 3, Failed: []string{"billing"}, Settled: true}
	m.herald.tell(t.Context())
	m.want("READY=1", "STATUS=3 apps serving, 1 failed: billing", "WATCHDOG=1")
	m.silent = true
	m.herald.tell(t.Context())
	m.want()
}

// TestReadyAfterItsTime: an app that does not get ready holds nothing up for
// longer than that.
func TestReadyAfterItsTime(t *testing.T) {
	m := newManager(t, 0)
	m.state.Starting = 1
	m.herald.readyAt = time.Now()
	m.herald.tell(t.Context())
	m.want("READY=1", "STATUS=0 apps serving, 1 starting")
}

// TestReloading: one reload for the service manager, however many are under way.
func TestReloading(t *testing.T) {
	m := newManager(t, 0)
	m.state = supervisor.Summary{Serving: 1, Settled: true}
	m.herald.reload(true) // before it was ready: a start is a start
	m.want()
	m.herald.reload(false)
	m.herald.tell(t.Context())
	m.want("READY=1", "STATUS=1 app serving")
	m.herald.reload(true)
	told := m.told()
	if len(told) != 2 || told[0] != "RELOADING=1" || !strings.HasPrefix(told[1], "MONOTONIC_USEC=") {
		t.Errorf("it told %q", told)
	}
	m.herald.reload(true)
	m.herald.reload(false)
	m.want()
	m.herald.reload(false)
	m.want("READY=1", "STATUS=1 app serving")
}

// TestStopAsksForTime: as long as it may take, and no longer.
func TestStopAsksForTime(t *testing.T) {
	m := newManager(t, 0)
	m.state = supervisor.Summary{Serving: 1, Settled: true}
	m.herald.tell(t.Context())
	m.told()
	m.state.Stopping, m.state.ShutdownTimeout = true, time.Hour
	m.herald.tell(t.Context())
	m.want("STOPPING=1", "STATUS=stopping, 1 app serving", "EXTEND_TIMEOUT_USEC=5000000")
	m.herald.tell(t.Context())
	m.want("EXTEND_TIMEOUT_USEC=5000000")
	m.herald.stopping = time.Now().Add(-time.Hour)
	m.herald.tell(t.Context())
	m.want()
}

// TestSignsOfLifeComeInTime: at half of the time, with questions often enough.
func TestSignsOfLifeComeInTime(t *testing.T) {
	m := newManager(t, 20*time.Second)
	m.state = supervisor.Summary{Settled: true}
	m.herald.tell(t.Context())
	m.want("READY=1", "STATUS=0 apps serving", "WATCHDOG=1")
	m.herald.tell(t.Context())
	m.want()
	m.herald.alive = m.herald.alive.Add(-10 * time.Second)
	m.herald.tell(t.Context())
	m.want("WATCHDOG=1")
	for _, watchdog := range []time.Duration{time.Millisecond, time.Second, time.Minute} {
		m.herald.notifier.Watchdog = watchdog
		if interval := m.herald.interval(); interval > watchdog/2 {
			t.Errorf("asked every %v with a watchdog of %v", interval, watchdog)
		}
	}
}
