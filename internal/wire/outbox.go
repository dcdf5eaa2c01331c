package wire

import (
	"os"
	"sync"
)

// An Outbox holds messages until the other side takes them, so that nobody who
// posts one ever waits. Of messages that replace each other (tables, counters)
// only the newest waits.
type Outbox struct {
	mu     sync.Mutex
	queue  []letter
	filled chan struct{}
	closed bool
}

type letter struct {
	message Message
	files   []*os.File
}

// NewOutbox makes an empty Outbox.
func NewOutbox() *Outbox { return &Outbox{filled: make(chan struct{}, 1)} }

// Post queues a message. The files are closed once they are sent or dropped.
func (o *Outbox) Post(m Message, files ...*os.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		closeAll(files)
		return
	}
	o.dropReplaced(m)
	o.queue = append(o.queue, letter{m, files})
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// dropReplaced removes an unsent message that m makes superfluous. The order of
// the others stays, so a table never overtakes the files that it names.
func (o *Outbox) dropReplaced(m Message) {
	for i, l := range o.queue {
		if replaces(m, l.message) {
			closeAll(l.files)
			o.queue = append(o.queue[:i], o.queue[i+1:]...)
			return
		}
	}
}

// replaces reports whether the newer message makes the older superfluous.
func replaces(newer, older Message) bool {
	switch newer := newer.(type) {
	case *TableOrder:
		_, ok := older.(*TableOrder)
		return ok
	case *Counters:
		old, ok := older.(*Counters)
		return ok && old.Part == newer.Part
	case *Ping:
		_, ok := older.(*Ping)
		return ok
	}
	return false
}

// Len is the number of messages that wait.
func (o *Outbox) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue)
}

// A Sender sends messages; a Conn is one.
type Sender interface {
	Send(m Message, files ...*os.File) error
}

// Run sends what is posted over c until sending fails or Close is called, and
// returns why it ended: nil after Close. Messages posted before Close are sent.
func (o *Outbox) Run(c Sender) error {
	for {
		l, ok, closed := o.next()
		if ok {
			err := c.Send(l.message, l.files...)
			closeAll(l.files)
			if err != nil {
				o.Close()
				o.discard()
				return err
			}
			continue
		}
		if closed {
			return nil
		}
		<-o.filled
	}
}

func (o *Outbox) next() (l letter, ok, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return letter{}, false, o.closed
	}
	l = o.queue[0]
	o.queue = o.queue[1:]
	return l, true, o.closed
}

// Close makes Run return once all that was posted is sent.
func (o *Outbox) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		close(o.filled)
	}
}

// discard drops what can not be sent any more.
func (o *Outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.queue {
		closeAll(l.files)
	}
	o.queue = nil
}
