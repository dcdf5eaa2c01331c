package proxy

import (
	"bytes"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTransferSplices: much is spliced, little is copied, and the change from one
// to the other loses nothing.
func TestTransferSplices(t *testing.T) {
	pipes.trim() // those of other tests
	hub := newSweeper()
	src, in := sockPair(t, hub)
	dst, out := sockPair(t, hub)
	tr := &transfer{from: src, to: dst, left: -1}
	done := make(chan struct{})
	go func() { // ends with the end of in
		defer close(done)
		if fromErr, toErr := tr.run(); fromErr != nil || toErr != nil {
			t.Errorf("broke: %v, %v", fromErr, toErr)
		}
		dst.closeWrite()
	}()
	var want bytes.Buffer
	for i, n := range []int{1, 100, 500 << 10, 3, 1 << 20, 1, 64 << 10} {
		want.Write(bytes.Repeat([]byte{byte(i)}, n))
	}
	sent := want.Bytes()
	go func() { // ends once all is written
		in.Write(sent)
		in.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(out)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes arrived, %v", len(got), len(sent), err)
	}
	<-done
	pipes.mu.Lock()
	used := len(pipes.idle)
	pipes.mu.Unlock()
	if used == 0 {
		t.Error("nothing was spliced: there is no pipe")
	}
	src.close()
	dst.close()
}

// sockPair is a sock and its peer.
func sockPair(t *testing.T, hub *sweeper) (*sock, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := new(sock)
	if err := hub.newSock(s, fds[0]); err != nil {
		t.Fatal(err)
	}
	return s, fdConn(t, fds[1])
}

// TestIdlePipesGo: those that nobody needs any more are closed, and those that
// somebody does are kept.
func TestIdlePipesGo(t *testing.T) {
	var l pipePool
	var list []*pipe
	for range 5 {
		p := l.take()
		if p == nil {
			t.Fatal("no pipe")
		}
		list = append(list, p)
	}
	for _, p := range list {
		l.put(p)
	}
	for i, want := range []int{5, 2, 0} {
		if i == 1 { // two are in use for a moment
			a, b := l.take(), l.take()
			l.put(a)
			l.put(b)
		}
		l.shrink(1 + int64(i)*shrinkPause)
		if n := len(l.idle); n != want {
			t.Errorf("%d idle pipes are left, not %d", n, want)
		}
	}
	l.trim()
}
