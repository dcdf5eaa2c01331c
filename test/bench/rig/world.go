package rig

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// World is the surroundings of a run.
type World struct {
	// Dir is a folder that every user may enter; Close removes it.
	Dir string

	lock     net.Listener
	leash    net.Listener
	children []*Child
	nextPort int
}

// Open makes a World; Close ends it. It fails while another one is open on
// this machine.
func Open() (*World, error) { return OpenBeside("@gracevisor-bench") }

// OpenBeside is Open for tests, which measure nothing: it locks out only those
// Worlds that are opened with the same name of an abstract socket.
func OpenBeside(name string) (*World, error) {
	lock, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("take the lock of benchmarks (does another one run?): %w", err)
	}
	w := &World{lock: lock, nextPort: firstPort}
	if err := w.fill(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) fill() (err error) {
	if w.Dir, err = os.MkdirTemp("", "gv-bench-"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	// Proxies and apps may run as other users.
	if err = os.Chmod(w.Dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	// Nobody accepts: a connection in the backlog is as good, and ends with
	// the listener.
	if w.leash, err = net.Listen("unix", w.Leash()); err != nil {
		return fmt.Errorf("make leash: %w", err)
	}
	if err = os.Chmod(w.Leash(), 0o777); err != nil {
		return fmt.Errorf("make leash: %w", err)
	}
	return nil
}

// Leash is the path that apps of this run are to give to HoldLeash.
func (w *World) Leash() string { return w.Path("leash") }

// Path is that of a file in the World's folder.
func (w *World) Path(name string) string { return filepath.Join(w.Dir, name) }

// Close ends what was started and removes the folder.
func (w *World) Close() error {
	var err error
	for _, c := range slices.Backward(w.children) {
		err = errors.Join(err, c.Stop())
	}
	if w.leash != nil {
		err = errors.Join(err, w.leash.Close())
	}
	if w.Dir != "" {
		err = errors.Join(err, os.RemoveAll(w.Dir))
	}
	return errors.Join(err, w.lock.Close())
}

// dyingTime is how long after a failure a child may still be on its way out.
const dyingTime = time.Second

// Check is to be called after something has failed: it returns an error for each
// child that has exited by itself, which may be why. It gives them a moment.
func (w *World) Check() error {
	patience := time.NewTimer(dyingTime)
	defer patience.Stop()
	<-patience.C
	var err error
	for _, c := range w.children {
		select {
		case <-c.exited:
			if !c.stopped {
				err = errors.Join(err, c.fault())
			}
		default:
		}
	}
	return err
}

// HoldLeash returns a channel that is closed as soon as the World at the other
// end of the leash is, or its process has died: time for an app to exit.
func HoldLeash(path string) (<-chan struct{}, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("hold leash: %w", err)
	}
	released := make(chan struct{})
	// Ends with the World.
	go func() {
		defer close(released)
		defer conn.Close()
		_, _ = io.Copy(io.Discard, conn) // whatever ends it, the World is gone
	}()
	return released, nil
}
