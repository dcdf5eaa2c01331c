package hostile

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"gracevisor/test/harness"
)

// sources are how many loopback addresses a crowd comes from.
const sources = 20

// crowd makes n clients, each of which has begun with a few bytes. They end with
// the test.
func crowd(t *testing.T, app harness.App, n int, begin func(*client) error) []*client {
	t.Helper()
	clients := make([]*client, n)
	t.Cleanup(func() {
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
	})
	each(t, n, func(i int) error {
		c, err := connect(app.Address(), fmt.Sprintf("127.0.1.%d", 1+i%sources))
		if err != nil {
			return err
		}
		clients[i] = c
		return begin(c)
	})
	return clients
}

// each does something for all numbers below n, many at once.
func each(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	numbers := make(chan int)
	failed := make(chan error, n)
	var working sync.WaitGroup
	for range 32 {
		working.Go(func() { // ends when all numbers are taken
			for i := range numbers {
				if err := do(i); err != nil {
					failed <- fmt.Errorf("number %d: %w", i, err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	working.Wait()
	close(failed)
	if len(failed) > 0 {
		t.Fatalf("%d of %d failed, the first with: %v", len(failed), n, <-failed)
	}
}

// hello asks for a page on the connection.
func hello(c *client) error {
	if a := c.ask("GET", "/", ""); a.status != 200 || a.fault != nil {
		return fmt.Errorf("got %v", a)
	}
	return nil
}

// TestIdleCrowd: 10,000 connections that are idle, half of them before their first
// request, cost others nothing; they live through a restart of the app and of the
// daemon, and are served when they speak.
func TestIdleCrowd(t *testing.T) {
	t.Parallel()
	const idle = 10_000
	box, app := serve(t, func(_ *harness.Box, app harness.App) harness.App {
		return app.With("header_timeout", "10m").With("idle_timeout", "10m")
	})
	clients := crowd(t, app, idle, func(c *client) error { return nil })
	each(t, idle/2, func(i int) error { return hello(clients[2*i]) })
	box.Await("all to be connected", func() bool { return box.Status("demo").Apps[0].Connections == idle })

	end := others(t, app)
	box.Must("restart", "demo")
	box.Must("reexec")
	box.AwaitServing("demo")
	end()
	each(t, idle, func(i int) error { return hello(clients[i]) })
	for _, c := range clients {
		c.Close()
	}
	awaitNobody(box)
}

// TestSlowHeaderCrowd: 1,000 clients that send their header byte by byte are
// told so when their time is over, and cost others nothing.
func TestSlowHeaderCrowd(t *testing.T) {
	t.Parallel()
	const slow = 1000
	box, app := serve(t, func(_ *harness.Box, app harness.App) harness.App {
		return app.With("header_timeout", 3)
	})
	end := others(t, app)
	clients := crowd(t, app, slow, func(c *client) error {
		_, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: hostile\r\nX: "))
		return err
	})
	ended := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() { // ends when all clients have their answer
		for {
			for _, c := range clients {
				select {
				case <-ended:
					return
				default:
					c.send("x")
				}
			}
		}
	})
	each(t, slow, func(i int) error {
		// It may have ended in a reset, as it went on talking.
		if a := clients[i].receive("GET"); a.status != 408 && (a.fault == nil || !strings.Contains(a.fault.Error(), "reset")) {
			return fmt.Errorf("got %v", a)
		}
		return nil
	})
	close(ended)
	dripping.Wait()
	end()
	for _, c := range clients {
		c.Close()
	}
	awaitNobody(box)
}
