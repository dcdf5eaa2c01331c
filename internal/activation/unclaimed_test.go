package activation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
)

// resolveBy has names looked up by a server that is reached with dial, until the
// test ends.
func resolveBy(t *testing.T, dial func(ctx context.Context) error) {
	t.Helper()
	usual := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = usual })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, dial(ctx)
	}}
}

func noServer(context.Context) error { return errors.New("no name server") }

func silentServer(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// leftBehind is a table with listeners that an earlier daemon has bound.
func leftBehind(t *testing.T, ports ...int) *Table {
	t.Helper()
	table := &Table{log: slog.New(slog.DiscardHandler)}
	for _, port := range ports {
		table.put(bindHost(t, "127.0.0.1", port).Listeners[0])
	}
	return table
}

// TestUnclaimedWhileAHostIsNotFound: what may be of the app stays open, and
// nothing else does.
func TestUnclaimedWhileAHostIsNotFound(t *testing.T) {
	resolveBy(t, noServer)
	for name, c := range map[string]struct {
		foundAt string
		same    bool
	}{"found where it was": {"127.0.0.1", true}, "found elsewhere": {"127.0.0.2", false}} {
		t.Run(name, func(t *testing.T) {
			port, other := freePort(t), freePort(t)
			table := leftBehind(t, port, other)
			was := table.Spare()[0]
			want := Want{App: "demo", Host: "app.test", Port: port}
			if set := table.Open(t.Context(), want, nil); !set.Unresolved || set.Err == nil || len(set.Listeners) > 0 {
				t.Fatalf("%+v", set)
			}
			table.SettleUnclaimed()
			if !connects(t, "127.0.0.1", port) {
				t.Error("the listener of an app was closed because its host was not found")
			}
			if connects(t, "127.0.0.1", other) {
				t.Error("a listener that is nobody's was left open")
			}
			want.Host = c.foundAt // as the name server might say now
			set := table.Open(t.Context(), want, nil)
			for _, l := range set.Listeners {
				t.Cleanup(func() { l.Close() })
			}
			if set.Err != nil || set.Unresolved || len(set.Listeners) != 1 || (set.Listeners[0] == was) != c.same {
				t.Errorf("%+v", set)
			}
			if connects(t, "127.0.0.1", port) != c.same || len(table.Spare()) > 0 {
				t.Errorf("the old listener is open: %t; left: %v", !c.same, table.Spare())
			}
		})
	}
}

// TestClaimAsksNobody: also while another app waits for the name server.
func TestClaimAsksNobody(t *testing.T) {
	resolveBy(t, silentServer)
	port, other := freePort(t), freePort(t)
	table := leftBehind(t, port, other)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan Set)
	// Ends with the look-up, which cancel ends.
	go func() { answer <- table.Open(ctx, Want{App: "demo", Host: "app.test", Port: port}, nil) }()
	claimed := table.Claim([]string{fmt.Sprintf("127.0.0.1:%d", port), "127.0.0.9:1"})
	if len(claimed) != 1 || int(claimed[0].Address.Port()) != port {
		t.Errorf("claimed %v", claimed)
	}
	if left := table.Spare(); len(left) != 1 || int(left[0].Address.Port()) != other {
		t.Errorf("left are %v", left)
	}
	if again := table.Claim([]string{fmt.Sprintf("127.0.0.1:%d", port)}); len(again) > 0 {
		t.Errorf("claimed twice: %v", again)
	}
	cancel()
	if set := <-answer; !set.Unresolved {
		t.Errorf("%+v", set)
	}
}
