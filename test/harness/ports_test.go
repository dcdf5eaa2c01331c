package harness

import (
	"fmt"
	"net"
	"testing"
)

func TestPorts(t *testing.T) {
	take := func(n int) *ports {
		t.Helper()
		p, err := takePorts(n)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.release() })
		if p.to-p.from+1 < n || p.from < firstPort || p.to >= endPort {
			t.Errorf("%d ports: from %d to %d", n, p.from, p.to)
		}
		return p
	}
	first, second := take(1), take(2*blockSize+1)
	if first.to >= second.from && second.to >= first.from {
		t.Errorf("%d to %d and %d to %d share ports", first.from, first.to, second.from, second.to)
	}
	// A block in which somebody listens, on one address only, is not taken.
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first.from+7))
	if err != nil {
		t.Skipf("somebody else was quicker: %v", err)
	}
	defer stranger.Close()
	if third := take(1); third.from == first.from {
		t.Errorf("ports from %d are taken though somebody listens on one", third.from)
	}
	if p, err := takePorts(endPort); err == nil {
		t.Errorf("more ports than there are: from %d to %d", p.from, p.to)
		p.release()
	}
	if again := take(1); len(again.locks) != 1 {
		t.Errorf("%d locks", len(again.locks))
	}
}
