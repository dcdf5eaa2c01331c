package survival

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gracevisor/demoapp/websocket"
	"gracevisor/test/flow"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// flowApp is the app that flows go through.
const flowApp = "flow"

// The kinds of flows.
const (
	// fullSpeed flows go through an echo as fast as they can.
	fullSpeed load.Kind = "flow"
	// lazy ones are read with pauses in which all buffers fill.
	lazy load.Kind = "flow-slow-reader"
	// source: the client's half has ended; sink: the app's half has.
	source load.Kind = "flow-half-client"
	sink   load.Kind = "flow-half-app"
	// chatter is WebSocket messages, many of them under way in both directions.
	chatter load.Kind = "flow-websocket"
)

// flows are connections that carry bytes without a pause, each of which is
// compared with what has to come.
type flows struct {
	scene  *scene
	stop   chan struct{}
	stopIt sync.Once
	wg     sync.WaitGroup
	moved  atomic.Int64 // bytes that have come
	// sources are the names of those that go on until the app is told.
	sources []string

	mu     sync.Mutex
	report load.Report
	wrong  []error // other bytes than expected: never
	cut    []net.Conn
}

var flowNumber atomic.Int64

// flow begins n flows of each kind.
func (s *scene) flow(n int) *flows {
	s.t.Helper()
	f := &flows{scene: s, stop: make(chan struct{}), report: load.Report{Kinds: make(map[load.Kind]load.KindReport)}}
	s.t.Cleanup(func() { f.end() })
	for kind, run := range map[load.Kind]func(*flows, net.Conn, string) (time.Duration, error){
		fullSpeed: (*flows).echo, lazy: (*flows).echoSlowly, source: (*flows).source, sink: (*flows).sink, chatter: (*flows).chatter,
	} {
		for i := range n {
			name := fmt.Sprintf("%s-%d-%d", kind, i, flowNumber.Add(1)) // an app knows a sink by its name
			if kind == source {
				f.sources = append(f.sources, name)
			}
			address := s.flowing.Address()
			if kind == chatter {
				address = s.web.Address()
			}
			c, err := net.Dial("tcp", address)
			if err != nil {
				s.t.Fatal(err)
			}
			f.wg.Go(func() { // ends by end
				defer c.Close()
				pause, err := run(f, c, name)
				f.record(kind, c, pause, err)
			})
		}
	}
	return f
}

func (f *flows) record(kind load.Kind, c net.Conn, pause time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.report.Kinds[kind]
	k.Requests++
	k.Connections++
	k.LongestPause = max(k.LongestPause, pause)
	if err != nil {
		k.Failures++
		k.Errors = append(k.Errors, err.Error())
		f.cut = append(f.cut, c)
	}
	if errors.Is(err, flow.ErrOther) {
		f.wrong = append(f.wrong, fmt.Errorf("%s: %w", kind, err))
	}
	f.report.Kinds[kind] = k
}

// await waits until some more bytes have come.
func (f *flows) await() {
	f.scene.t.Helper()
	seen := f.moved.Load()
	f.scene.Await("bytes to flow", func() bool { return f.moved.Load() > seen+1<<20 })
}

// end lets all flows come to their end, and reports.
func (f *flows) end() *load.Report {
	f.stopIt.Do(func() {
		close(f.stop)
		for _, name := range f.sources {
			f.ask("stop " + name)
		}
		f.wg.Wait()
	})
	return &f.report
}

// ask sends a line to the app on a connection of its own, and returns the answer.
func (f *flows) ask(line string) string {
	c, err := net.Dial("tcp", f.scene.flowing.Address())
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(harness.DeadMan))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(answer))
}

// send sends the flow of a name until the end, and returns its length.
func (f *flows) send(c net.Conn, name string) (int64, error) {
	from, sent := flow.Bytes(name), int64(0)
	for {
		select {
		case <-f.stop:
			return sent, c.(*net.TCPConn).CloseWrite()
		default:
		}
		_ = c.SetWriteDeadline(time.Now().Add(harness.DeadMan))
		n, err := io.CopyN(c, from, 16<<10)
		if sent += n; err != nil {
			return sent, err
		}
	}
}

// check reads the flow of a name from r to its end.
func (f *flows) check(c net.Conn, name string, rest time.Duration) (n int64, pause time.Duration, err error) {
	r := &gauge{flows: f, conn: c, rest: rest, last: time.Now()}
	n, err = flow.Check(r, name)
	return n, r.longest, err
}

// gauge reads, measures the pauses, and may make some.
type gauge struct {
	flows   *flows
	conn    net.Conn
	rest    time.Duration // after each few megabytes
	bytes   int
	last    time.Time
	longest time.Duration
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.bytes > 2<<20 && g.rest > 0 {
		g.bytes = 0
		time.Sleep(g.rest) // that is what it is for: buffers fill meanwhile
		g.last = time.Now()
	}
	_ = g.conn.SetReadDeadline(time.Now().Add(harness.DeadMan))
	n, err := g.conn.Read(p)
	now := time.Now()
	g.longest = max(g.longest, now.Sub(g.last))
	g.last = now
	g.bytes += n
	g.flows.moved.Add(int64(n))
	return n, err
}

func (f *flows) echo(c net.Conn, name string) (time.Duration, error) { return f.through(c, name, 0) }

func (f *flows) echoSlowly(c net.Conn, name string) (time.Duration, error) {
	return f.through(c, name, 50*time.Millisecond)
}

// through sends a flow through an echo.
func (f *flows) through(c net.Conn, name string, rest time.Duration) (time.Duration, error) {
	if _, err := io.WriteString(c, "echo\n"); err != nil {
		return 0, err
	}
	type outcome struct {
		n   int64
		err error
	}
	sent := make(chan outcome, 1)
	go func() { // ends with the connection, or when all is sent
		n, err := f.send(c, name)
		sent <- outcome{n, err}
	}()
	got, pause, err := f.check(c, name, rest)
	if err != nil {
		c.Close() // which ends the sending
	}
	out := <-sent
	if err == nil {
		err = out.err
	}
	if err == nil && out.n != got {
		err = fmt.Errorf("cut: %d bytes sent, %d came back", out.n, got)
	}
	return pause, err
}

// source reads from an app after its own half has ended.
func (f *flows) source(c net.Conn, name string) (time.Duration, error) {
	if _, err := io.WriteString(c, "source "+name+"\n"); err != nil {
		return 0, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return 0, err
	}
	_, pause, err := f.check(c, name, 0)
	select {
	case <-f.stop:
	default:
		err = errors.Join(err, errors.New("cut: it has ended before its time"))
	}
	return pause, err
}

// sink sends to an app whose half has ended.
func (f *flows) sink(c net.Conn, name string) (time.Duration, error) {
	if _, err := io.WriteString(c, "sink "+name+"\n"); err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(harness.DeadMan))
	if n, err := io.Copy(io.Discard, c); n > 0 || err != nil {
		return 0, fmt.Errorf("the app's end: %d bytes, %w", n, err)
	}
	sent, err := f.send(c, name)
	if err != nil {
		return 0, err
	}
	want := fmt.Sprintf("%d <nil>", sent)
	if got := f.ask("sum " + name); got != want {
		if strings.Contains(got, flow.ErrOther.Error()) {
			return 0, fmt.Errorf("the app: %w", flow.ErrOther)
		}
		return 0, fmt.Errorf("cut: the app has got %q of %d bytes", got, sent)
	}
	return 0, nil
}

// underWay is how many messages are in flight.
const underWay = 64

// chatter sends messages of all sizes without waiting for their echoes.
func (f *flows) chatter(c net.Conn, name string) (time.Duration, error) {
	r := bufio.NewReaderSize(&gauge{flows: f, conn: c, last: time.Now()}, 4096)
	if err := openWebSocket(c, r); err != nil {
		return 0, err
	}
	tokens := make(chan struct{}, underWay)
	sent := make(chan error, 1)
	go func() { // ends with the connection, or when all is sent
		sent <- f.say(c, tokens)
	}()
	pause, last := time.Duration(0), time.Now()
	var err error
	for number := uint32(0); err == nil; number++ {
		var frame websocket.Frame
		frame, err = websocket.ReadFrame(r, websocket.FromServer)
		if err == nil && frame.Op == websocket.OpClose {
			break
		}
		if err == nil && (len(frame.Payload) < 4 || binary.BigEndian.Uint32(frame.Payload) != number) {
			err = fmt.Errorf("message %d: %w", number, flow.ErrOther)
		}
		now := time.Now()
		pause, last = max(pause, now.Sub(last)), now
		select {
		case <-tokens:
		default:
		}
	}
	if err != nil {
		c.Close()
		go func() { // ends with the sender
			for range tokens {
			}
		}()
	}
	err = errors.Join(err, <-sent)
	close(tokens)
	return pause, err
}

// say sends numbered messages until the end.
func (f *flows) say(c net.Conn, tokens chan<- struct{}) error {
	body := make([]byte, 20_000)
	for number := uint32(0); ; number++ {
		frame := websocket.Frame{Op: websocket.OpBinary, Fin: true, Payload: body[:4+int(number*7919)%len(body[4:])]}
		binary.BigEndian.PutUint32(body, number)
		select {
		case <-f.stop:
			frame = websocket.Frame{Op: websocket.OpClose, Fin: true, Payload: []byte{1000 >> 8, 1000 & 0xff}}
		case tokens <- struct{}{}:
		}
		_ = c.SetWriteDeadline(time.Now().Add(harness.DeadMan))
		if _, err := c.Write(websocket.AppendFrame(nil, frame, websocket.FromClient, [4]byte{1, 2, 3, 4})); err != nil {
			return err
		}
		if frame.Op == websocket.OpClose {
			return nil
		}
	}
}

// openWebSocket makes the opening handshake.
func openWebSocket(c net.Conn, r *bufio.Reader) error {
	key := base64.StdEncoding.EncodeToString(make([]byte, 16))
	_, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\n")
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(line, "HTTP/1.1 101 "):
			return fmt.Errorf("handshake: got %q", line)
		case line == "\r\n":
			return nil
		}
	}
}
