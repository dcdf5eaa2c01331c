package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gracevisor/internal/wire"
)

// deadMan ends a wait that should have ended long before.
const deadMan = 30 * time.Second

// A supervisor is the other end of the conversation with a worker.
type supervisor struct {
	t    *testing.T
	conn *wire.Conn
	said chan wire.Message // closed when the worker has hung up
	log  logBuffer

	table wire.Table
}

// talk makes a supervisor of an end of a pair. Its reader ends with the
// conversation, which ends with the test.
func talk(t *testing.T, end *os.File) *supervisor {
	t.Helper()
	conn, err := wire.NewConn(end)
	if err != nil {
		t.Fatal(err)
	}
	s := &supervisor{t: t, conn: conn, said: make(chan wire.Message, 1000)}
	t.Cleanup(func() { conn.Close() })
	go func() {
		defer close(s.said)
		for {
			m, _, err := conn.Receive()
			if err != nil {
				return
			}
			s.said <- m
		}
	}()
	return s
}

// A task is a worker in a goroutine of the test.
type task struct {
	*supervisor
	terminate chan os.Signal
	ended     chan error // takes what run has returned
}

// start runs a worker that nothing was said to yet. It ends with the test at the
// latest.
func start(t *testing.T) *task {
	t.Helper()
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := wire.NewConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	k := &task{talk(t, ours), make(chan os.Signal, 1), make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		k.ended <- run(slog.New(slog.NewTextHandler(&k.log, nil)), conn, k.terminate)
	}()
	t.Cleanup(func() {
		k.conn.Close()
		<-gone
	})
	return k
}

// begin starts a worker and greets it.
func begin(t *testing.T) *task {
	t.Helper()
	k := start(t)
	k.greet()
	return k
}

func (s *supervisor) greet() *wire.Ready {
	s.t.Helper()
	s.say(&wire.Hello{Version: wire.Version, Generation: 7})
	return next[*wire.Ready](s)
}

func (s *supervisor) say(m wire.Message, files ...*os.File) {
	s.t.Helper()
	if err := s.conn.Send(m, files...); err != nil {
		s.t.Fatal(err)
	}
}

// heard returns the next message, or nil at the end of the conversation.
func (s *supervisor) heard() wire.Message {
	s.t.Helper()
	select {
	case m := <-s.said:
		return m
	case <-time.After(deadMan):
		s.t.Fatalf("the worker says nothing; its log: %s", s.log.String())
		return nil
	}
}

// next is the next message, which must be of this kind; counters, which come
// when they like, are left out.
func next[M wire.Message](s *supervisor) M {
	s.t.Helper()
	for {
		got := s.heard()
		if m, ok := got.(M); ok {
			return m
		}
		if _, ok := got.(*wire.Counters); !ok {
			var want M
			s.t.Fatalf("got %T %+v, want %T; log: %s", got, got, want, s.log.String())
		}
	}
}

// end is what the worker has ended with.
func (k *task) end() error {
	k.t.Helper()
	select {
	case err := <-k.ended:
		return err
	case <-time.After(deadMan):
		k.t.Fatal("the worker does not end")
		return nil
	}
}

// running fails if the worker has ended.
func (k *task) running() {
	k.t.Helper()
	select {
	case err := <-k.ended:
		k.t.Fatalf("the worker has ended, with %v", err)
	default:
	}
}

// listen gives the worker a listener for an app. The test holds it, too.
func (s *supervisor) listen(name string) net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	s.say(&wire.Files{Names: []string{name}}, f)
	return l
}

// app puts an app into the next table.
func (s *supervisor) app(name string, instances ...wire.Instance) {
	s.table.Apps = append(s.table.Apps, wire.App{
		Name: name, Listeners: []string{name}, Mode: "http", Disposition: wire.Serving, Instances: instances,
		Traffic: wire.Traffic{MaxHeaderBytes: 1 << 16, MaxHeaders: 100, MaxAnswerHeaderBytes: 1 << 16, MaxAnswerHeaders: 100},
	})
}

// order sends the table, and returns its revision.
func (s *supervisor) order() uint64 {
	s.t.Helper()
	s.table.Revision++
	memfd, err := wire.WriteTable(&s.table)
	if err != nil {
		s.t.Fatal(err)
	}
	defer memfd.Close()
	s.say(&wire.TableOrder{Revision: s.table.Revision}, memfd)
	return s.table.Revision
}

// apply has the table put into force.
func (s *supervisor) apply() {
	s.t.Helper()
	revision := s.order()
	if ack := next[*wire.Ack](s); ack.Revision != revision || ack.Error != "" {
		s.t.Fatalf("table %d: got %+v", revision, *ack)
	}
}

// An instance is an app that answers each request when it is let.
type instance struct {
	wire.Instance
	asked chan struct{} // takes one for each request that has come
	let   chan struct{} // one is taken for each answer
}

const answer = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n"

// newInstance starts an instance, whose goroutines end with the test.
func newInstance(t *testing.T, id string) *instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{wire.Instance{ID: id, Role: wire.RoleServing, Network: "tcp", Address: l.Addr().String()},
		make(chan struct{}, 1000), make(chan struct{}, 1000)}
	var serving sync.WaitGroup
	ctx, quit := context.WithCancel(context.Background())
	t.Cleanup(func() {
		quit()
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { i.serve(ctx, c) })
		}
	})
	return i
}

func (i *instance) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(deadMan))
	for readHead(c) != "" {
		i.asked <- struct{}{}
		select {
		case <-i.let:
		case <-ctx.Done():
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// readHead reads up to and with an empty line; "" at the end of the stream.
func readHead(r io.Reader) string {
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		if _, err := io.ReadFull(r, b); err != nil {
			return ""
		}
		head = append(head, b[0])
	}
	return string(head)
}

// A client is a connection to a worker.
type client struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, l net.Listener) *client {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(deadMan))
	return &client{c, t}
}

func (c *client) ask() {
	c.t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// answered reads an answer, and reports whether it is the last.
func (c *client) answered() (last bool) {
	c.t.Helper()
	head := readHead(c)
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		c.t.Fatalf("got %q", head)
	}
	return strings.Contains(head, "\r\nConnection: close\r\n")
}

// served makes a request and gets its answer.
func (c *client) served(i *instance) (last bool) {
	c.t.Helper()
	c.ask()
	<-i.asked
	i.let <- struct{}{}
	return c.answered()
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("app%d", i)
	}
	return all
}
