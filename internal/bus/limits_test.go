package bus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// TestManySubscribers take nothing from others: who comes after them is told, too,
// also when they have left, and by the daemon that comes next.
func TestManySubscribers(t *testing.T) {
	newBus(t, openPolicy)
	first := open(t, new(fakeOps))
	crowd := make([]*dbus.Conn, maxSubscribers+5)
	for n := range crowd {
		crowd[n] = client(t)
	}
	var wait sync.WaitGroup
	for _, c := range crowd { // all at once
		wait.Go(func() { succeeds(t, c, nil, root, managerInterface+".Subscribe") })
	}
	wait.Wait()
	if n := first.subscribed(t); n != maxSubscribers {
		t.Errorf("%d are remembered", n)
	}
	l := listen(t)
	succeeds(t, l.conn, nil, root, managerInterface+".Subscribe")
	for _, c := range crowd {
		c.Close()
	}
	await(t, "the crowd to be forgotten", func() bool { return first.subscribed(t) == 0 })
	first.tell(control.Notice{Kind: control.NoticeAppNew, App: "one"})
	if s := l.next(t); s.Body[0] != "one" {
		t.Errorf("%v", s.Body)
	}
	first.stop()
	second := run(t, new(fakeOps), first.dir)
	second.awaitName(t)
	second.tell(control.Notice{Kind: control.NoticeAppNew, App: "two"})
	if s := l.next(t); s.Body[0] != "two" {
		t.Errorf("%v", s.Body)
	}
}

// TestTooManyAreRemembered, as by another version: the first of them are kept.
func TestTooManyAreRemembered(t *testing.T) {
	newBus(t, openPolicy)
	l := listen(t)
	var bus string
	if err := l.conn.BusObject().Call(busName+".GetId", 0).Store(&bus); err != nil {
		t.Fatal(err)
	}
	names := []string{l.conn.Names()[0]}
	for n := range 2 * maxSubscribers {
		names = append(names, fmt.Sprintf(":7.%d", n)) // who have left
	}
	data, err := json.Marshal(rememberedSubscribers{Bus: bus, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bus-subscribers.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	d := run(t, new(fakeOps), dir)
	d.awaitName(t)
	d.tell(control.Notice{Kind: control.NoticeAppNew, App: "demo"})
	if s := l.next(t); s.Body[0] != "demo" {
		t.Errorf("%v", s.Body)
	}
}

// TestRootHasRoom when others have used up what there is.
func TestRootHasRoom(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	other := stranger(t)
	var leaves []func()
	fill := func(places int) { // to that number; calls that are answered leave a moment later
		await(t, "places", func() bool {
			for {
				leave, ok := d.service.load.enter("others", places, maxCalls)
				if !ok {
					return len(leaves) == places
				}
				leaves = append(leaves, leave)
			}
		})
	}
	fill(maxCalls - rootCalls)
	fails(t, other, errorPrefix+"Busy", root, managerInterface+".ListApps")
	succeeds(t, client(t), []any{new([]listedApp)}, root, managerInterface+".ListApps")
	fill(maxCalls)
	fails(t, client(t), errorPrefix+"Busy", root, managerInterface+".ListApps")
	for _, leave := range leaves {
		leave()
	}
	succeeds(t, other, []any{new([]listedApp)}, root, managerInterface+".ListApps")
}

// TestOneUserAsks for passwords without end: of others it takes nothing.
func TestOneUserAsks(t *testing.T) {
	newBus(t, openPolicy)
	d := open(t, new(fakeOps))
	other := stranger(t, dbus.WithOutgoingInterceptor(allowInteraction))
	var leaves []func()
	for range maxUserAsking {
		leave, ok := d.service.asking.enter(nobody, maxAsking, maxUserAsking)
		if !ok {
			t.Fatal("there is no room")
		}
		leaves = append(leaves, leave)
	}
	fails(t, other, errorPrefix+"Busy", root, managerInterface+".RestartApp", "web")
	succeeds(t, other, []any{new([]listedApp)}, root, managerInterface+".ListApps")
	succeeds(t, client(t), []any{new(dbus.ObjectPath)}, root, managerInterface+".RestartApp", "web")
	for _, leave := range leaves {
		leave()
	}
	fails(t, other, errorPrefix+"NotPermitted", root, managerInterface+".RestartApp", "web")
	await(t, "room again", func() bool {
		d.service.asking.mu.Lock()
		defer d.service.asking.mu.Unlock()
		return d.service.asking.total == 0
	})
}
