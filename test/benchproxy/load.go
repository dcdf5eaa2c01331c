package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// longestSilence is how long nothing at all may come.
const longestSilence = 10 * time.Second

// readSize is that of the one buffer that all answers are read into.
const readSize = 256 << 10

// load is what to send where. Its clients are kept-alive connections, each with
// one request at a time.
type load struct {
	address string // IPv4 and port
	clients int
	request []byte
	size    int // of the answers' bodies
	// warmUp and window are the times before and between the readings.
	// Without a window each client has one answer, and that is all.
	warmUp, window time.Duration
	// latencies asks for the time of each answer in the window.
	latencies bool
	// silence is how long nothing at all may come.
	silence time.Duration
}

// loadFor is one answer for each client of a scenario.
func loadFor(c *contender, s scenario) load {
	return load{address: c.address(s.door), clients: s.clients, request: requestFor(s.size), size: s.size, silence: longestSilence}
}

// outcome is what came of a load in its window.
type outcome struct {
	// bytes are those of the answers' bodies. They tell the number of
	// requests even where none begins and ends in the window.
	bytes     int64
	latencies []time.Duration
}

// loop is a load under way: an epoll(7) loop on the calling thread. Its clients
// are as cheap as can be, so that on a small machine the proxy gets the time.
type loop struct {
	load
	epoll   int
	clients []*client
	buf     []byte
	// fresh counts the clients that have had no answer yet, asking those
	// whose answer is under way.
	fresh, asking int
	inWindow      bool
	ending        bool
	outcome       outcome
}

// runLoad puts the load on. read, if not nil, is called at the beginning and at
// the end of the window. When it returns nothing is outstanding, and all
// connections are closed.
func runLoad(ctx context.Context, l load, read func() error) (outcome, error) {
	r, err := openLoop(l, l.clients)
	if err != nil {
		return outcome{}, err
	}
	defer r.close()
	for _, c := range r.clients {
		if err := r.ask(c); err != nil {
			return outcome{}, err
		}
	}
	if l.window > 0 {
		begun := time.Now()
		warm := func() bool { return r.fresh == 0 && time.Since(begun) >= l.warmUp }
		if err := r.until(ctx, warm); err != nil {
			return outcome{}, err
		}
		if err := r.measure(ctx, read); err != nil {
			return outcome{}, err
		}
	}
	r.ending = true
	err = r.until(ctx, func() bool { return r.asking == 0 })
	return r.outcome, err
}

// measure is the window.
func (r *loop) measure(ctx context.Context, read func() error) error {
	if read == nil {
		read = func() error { return nil }
	}
	if err := read(); err != nil {
		return err
	}
	r.inWindow = true
	begun := time.Now()
	if err := r.until(ctx, func() bool { return time.Since(begun) >= r.window }); err != nil {
		return err
	}
	r.inWindow = false
	return read()
}

// openLoop opens the connections.
func openLoop(l load, clients int) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open load: %w", err)
	}
	r := &loop{load: l, epoll: epoll, buf: make([]byte, readSize), fresh: clients}
	for range clients {
		if err := r.connect(); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *loop) connect() error {
	c, err := openClient(r.address)
	if err != nil {
		return err
	}
	r.clients = append(r.clients, c)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(r.clients) - 1)}
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, c.fd, &event); err != nil {
		return fmt.Errorf("watch connection: %w", err)
	}
	return nil
}

// ask sends a client's next request.
func (r *loop) ask(c *client) error {
	r.asking++
	return c.send(r.request)
}

// until serves the clients until done is true, which is looked at after every
// few answers.
func (r *loop) until(ctx context.Context, done func() bool) error {
	events := make([]unix.EpollEvent, 128)
	const tick = 100 // milliseconds
	quiet := time.Now()
	for !done() {
		n, err := unix.EpollWait(r.epoll, events, tick)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for answers: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n > 0 {
			quiet = time.Now()
		} else if time.Since(quiet) > r.silence {
			return fmt.Errorf("wait for answers: none for %v, %d outstanding", r.silence, r.asking)
		}
		for _, event := range events[:max(n, 0)] {
			if err := r.serve(r.clients[event.Fd]); err != nil {
				return err
			}
		}
	}
	return nil
}

// serve takes what has come for a client, and asks again.
func (r *loop) serve(c *client) error {
	n, err := c.receive(r.buf, r.size)
	if r.inWindow {
		r.outcome.bytes += int64(n)
	}
	if err != nil || !c.complete() {
		return err
	}
	r.asking--
	if !c.answered {
		c.answered = true
		r.fresh--
	}
	if r.inWindow && r.latencies {
		r.outcome.latencies = append(r.outcome.latencies, time.Since(c.asked))
	}
	if r.ending || r.window == 0 {
		return nil
	}
	return r.ask(c)
}

func (r *loop) close() {
	for _, c := range slices.Backward(r.clients) {
		c.close()
	}
	unix.Close(r.epoll)
}
