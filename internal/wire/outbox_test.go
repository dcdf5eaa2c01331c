package wire

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// sink takes messages, as long as it is let.
type sink struct {
	gate chan struct{} // a value lets one message pass
	mu   sync.Mutex
	got  []string
	open []bool // whether the files of each were open
	fail error
}

func (s *sink) Send(m Message, files ...*os.File) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, describe(m))
	for _, f := range files {
		_, err := f.Stat()
		s.open = append(s.open, err == nil)
	}
	return s.fail
}

func describe(m Message) string {
	switch m := m.(type) {
	case *TableOrder:
		return fmt.Sprint("table ", m.Revision)
	case *Counters:
		return fmt.Sprint("counters ", m.Part, " ", m.Connections)
	case *Ping:
		return fmt.Sprint("ping ", m.Number)
	case *Files:
		return fmt.Sprint("files ", m.Names)
	case *Unprobe:
		return "unprobe " + m.Instance
	}
	return fmt.Sprintf("%T", m)
}

// runs ends an Outbox and returns what Run did.
func runs(t *testing.T, o *Outbox, s Sender) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- o.Run(s) }() // ends with the outbox
	o.Close()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("Run does not end")
		return nil
	}
}

func closed(f *os.File) bool {
	_, err := f.Stat()
	return errors.Is(err, os.ErrClosed)
}

// TestOrder: what waits is sent in the order in which it came; of tables,
// counters of a part and pings only the newest, in its own place.
func TestOrder(t *testing.T) {
	o := NewOutbox()
	first, files, second := devNull(t), devNull(t), devNull(t)
	o.Post(&TableOrder{Revision: 1}, first)
	o.Post(&Counters{Part: 0, Connections: 1})
	o.Post(&Counters{Part: 1, Connections: 1})
	o.Post(&Ping{Number: 1})
	o.Post(&Unprobe{Instance: "a"})
	o.Post(&Files{Names: []string{"x"}}, files)
	o.Post(&Unprobe{Instance: "a"})
	o.Post(&TableOrder{Revision: 2}, second)
	o.Post(&Counters{Part: 0, Connections: 2})
	o.Post(&Ping{Number: 2})
	if !closed(first) {
		t.Error("the file of a table that was replaced is open")
	}
	if o.Len() != 7 {
		t.Errorf("%d messages wait", o.Len())
	}
	s := &sink{}
	if err := runs(t, o, s); err != nil {
		t.Fatal(err)
	}
	want := "[counters 1 1 unprobe a files [x] unprobe a table 2 counters 0 2 ping 2]"
	if got := fmt.Sprint(s.got); got != want {
		t.Errorf("sent\n%s, not\n%s", got, want)
	}
	if fmt.Sprint(s.open) != "[true true]" {
		t.Errorf("files were closed before they were sent: %v", s.open)
	}
	if !closed(files) || !closed(second) {
		t.Error("files that were sent are open")
	}
}

// TestSentIsNotReplaced: what is being sent does not come back.
func TestSentIsNotReplaced(t *testing.T) {
	o := NewOutbox()
	s := &sink{gate: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- o.Run(s) }() // ends with the outbox
	o.Post(&Ping{Number: 1})
	for o.Len() > 0 { // it is being sent
		time.Sleep(time.Millisecond)
	}
	o.Post(&Ping{Number: 2})
	o.Post(&Ping{Number: 3})
	s.gate <- struct{}{}
	s.gate <- struct{}{}
	o.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.got); got != "[ping 1 ping 3]" {
		t.Errorf("sent %s", got)
	}
}

// TestPostAfterTheEnd: it is dropped, and its files are closed.
func TestPostAfterTheEnd(t *testing.T) {
	o := NewOutbox()
	o.Close()
	o.Close()
	f := devNull(t)
	o.Post(&TableOrder{}, f)
	if !closed(f) || o.Len() != 0 {
		t.Error("a closed outbox takes messages")
	}
	if err := runs(t, o, &sink{}); err != nil {
		t.Error(err)
	}
}

// TestFailure: what can not be sent any more is dropped with its files, and the
// outbox takes no more.
func TestFailure(t *testing.T) {
	o := NewOutbox()
	var files []*os.File
	for n := range 3 {
		f := devNull(t)
		files = append(files, f)
		o.Post(&Files{Names: []string{fmt.Sprint(n)}}, f)
	}
	broken := errors.New("broken")
	s := &sink{fail: broken}
	if err := runs(t, o, s); !errors.Is(err, broken) {
		t.Errorf("Run returns %v", err)
	}
	f := devNull(t)
	o.Post(&TableOrder{}, f)
	for n, f := range append(files, f) {
		if !closed(f) {
			t.Errorf("file %d is open", n)
		}
	}
	if len(s.got) != 1 || o.Len() != 0 {
		t.Errorf("sent %v, and %d wait", s.got, o.Len())
	}
}

// TestManyPosters: from many goroutines nothing is lost or doubled.
func TestManyPosters(t *testing.T) {
	const posters, each = 8, 500
	o := NewOutbox()
	a, b := pair(t)
	done := make(chan error, 1)
	go func() { done <- o.Run(a) }() // ends with the outbox
	var wait sync.WaitGroup
	for p := range posters {
		wait.Go(func() {
			for n := range each {
				o.Post(&Unprobe{Instance: fmt.Sprintf("%d/%d", p, n)})
			}
		})
	}
	next := make(map[int]int)
	for range posters * each {
		m, _, err := b.Receive()
		if err != nil {
			t.Fatal(err)
		}
		var p, n int
		if _, err := fmt.Sscanf(m.(*Unprobe).Instance, "%d/%d", &p, &n); err != nil || n != next[p] {
			t.Fatalf("received %v, not number %d of %d", m, next[p], p)
		}
		next[p]++
	}
	wait.Wait()
	o.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestPeerThatDoesNotRead: whoever posts never waits, and closing the connection
// ends Run.
func TestPeerThatDoesNotRead(t *testing.T) {
	keepsFDs(t)
	o := NewOutbox()
	a, _ := pair(t)
	done := make(chan error, 1)
	go func() { done <- o.Run(a) }() // ends when a is closed
	for range 200 {
		o.Post(&Ack{Error: long(10000)})
	}
	o.Post(&TableOrder{}, devNull(t))
	o.Close()
	a.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("all was sent to somebody who does not read")
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
}
