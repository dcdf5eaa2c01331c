package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// maxSubscribers bounds how many clients are remembered by name. Signals go to
// all on the bus who listen, so for more it is enough to know that there are some.
const maxSubscribers = 200

// subscribers are the clients, by their unique names, for which signals are
// sent. Who leaves the bus is forgotten.
type subscribers struct {
	file string

	mu    sync.Mutex
	bus   string // the id of the bus that the names are of
	names []string
	// more: some were not remembered, so that nobody knows when the last of them
	// leaves. Signals are sent as long as the bus lives.
	more bool
	// over: the connection has ended, and the file is the next one's.
	over bool
}

// rememberedSubscribers is what the file holds.
type rememberedSubscribers struct {
	Bus   string   `json:"bus"`
	Names []string `json:"names"`
	More  bool     `json:"more,omitempty"`
}

func (s *subscribers) init(file string) { s.file = file }

// leave leaves the file alone from now on.
func (s *subscribers) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// any says whether anybody is subscribed.
func (s *subscribers) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names) > 0 || s.more
}

// put remembers a client, unless there are too many. It says whether that is
// news.
func (s *subscribers) put(client string) (news, named bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.names, client):
		return false, true
	case len(s.names) >= maxSubscribers:
		news, s.more = !s.more, true
		return news, false
	}
	s.names = append(s.names, client)
	return true, true
}

// drop forgets a client, and says whether it was remembered.
func (s *subscribers) drop(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.names)
	s.names = slices.DeleteFunc(s.names, func(name string) bool { return name == client })
	return len(s.names) != before
}

// matchRule lets the bus tell when a client leaves.
func matchRule(client string) string {
	return fmt.Sprintf("type='signal',sender='%s',path='%s',interface='%s',member='NameOwnerChanged',arg0='%s'",
		busName, busPath, busName, client)
}

func (c *call) subscribe() ([]any, error) { return nil, c.session.add(c.ctx, c.sender) }

func (c *call) unsubscribe() ([]any, error) {
	c.forget(c.sender)
	return nil, nil
}

// add adds a client, if it is still there.
func (t *session) add(ctx context.Context, client string) error {
	news, named := t.put(client)
	switch {
	case !news:
		return nil
	case !named:
		t.save()
		return nil
	}
	// In this order: one that leaves in between is not missed.
	if err := t.conn.BusObject().CallWithContext(ctx, busName+".AddMatch", 0, matchRule(client)).Err; err != nil {
		t.drop(client)
		return fmt.Errorf("watch a subscriber: %w", err)
	}
	var there bool
	err := t.conn.BusObject().CallWithContext(ctx, busName+".NameHasOwner", 0, client).Store(&there)
	if err != nil || !there {
		t.forget(client)
		return err
	}
	t.save()
	return nil
}

// forget forgets a client. The goroutine that reads calls it, too, and must not
// wait for the bus.
func (t *session) forget(client string) {
	if !t.drop(client) {
		return
	}
	t.save()
	go func() { // ends with the answer, or with the connection
		err := t.conn.BusObject().CallWithContext(t.life, busName+".RemoveMatch", 0, matchRule(client)).Err
		if err != nil && t.life.Err() == nil {
			t.service.log.Warn("cannot stop watching a client on D-Bus", "client", client, "error", err)
		}
	}()
}

// restore remembers the clients of the daemon before this, if the bus is the
// same.
func (t *session) restore(ctx context.Context) {
	if err := t.conn.BusObject().CallWithContext(ctx, busName+".GetId", 0).Store(&t.bus); err != nil {
		return // the name will not be had either
	}
	var remembered rememberedSubscribers
	data, err := os.ReadFile(t.file)
	if err == nil {
		err = json.Unmarshal(data, &remembered)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.service.log.Warn("cannot read who is subscribed on D-Bus", "error", err)
	}
	if remembered.Bus != t.bus {
		return
	}
	t.subscribers.mu.Lock()
	t.more = remembered.More
	t.subscribers.mu.Unlock()
	for _, name := range remembered.Names {
		if err := t.add(ctx, name); err != nil {
			t.service.log.Warn("cannot go on telling a subscriber on D-Bus", "client", name, "error", err)
		}
	}
}

// save writes who is subscribed. Two at once write one after the other.
func (t *session) save() {
	t.subscribers.mu.Lock()
	defer t.subscribers.mu.Unlock()
	if t.over {
		return
	}
	data, err := json.Marshal(rememberedSubscribers{t.bus, t.names, t.more})
	if err == nil {
		err = os.WriteFile(t.file+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(t.file+".new", t.file)
	}
	if err != nil {
		t.service.log.Warn("cannot save who is subscribed on D-Bus", "error", err)
	}
}
