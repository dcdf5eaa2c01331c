package activation

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
)

// A Table knows the sockets that were not bound by the daemon itself, and finds
// for each app those that are its own. Its methods may be called from any
// goroutine, and may block while a name is looked up.
type Table struct {
	log *slog.Logger

	mu sync.Mutex
	// spare are the inherited listeners that no app uses.
	spare []*Listener
	// unresolved are the ports of the apps whose host could not be looked up the
	// last time: which of the spare are theirs nobody knows.
	unresolved map[string]int
	// settled: SettleUnclaimed was called.
	settled bool
}

// Inherit takes over what was passed to this process: sockets and stored files
// from the service manager, and files from the program before an exec. The files
// that a Keeper has kept come back by their names; listeners among them are in
// the Table. It is called once, before other files are opened.
func Inherit(log *slog.Logger) (*Table, map[string]*os.File) {
	sockets, kept := takePassed(log)
	handedOver, err := TakeHandover()
	if err != nil {
		log.Error("cannot take all files from the program before the exec", "error", err)
	}
	maps.Copy(kept, handedOver)
	t := &Table{log: log}
	for _, l := range listenersOf(log, sockets) {
		l.giveBack = t.put
		t.put(l)
	}
	for name, file := range kept {
		if source, fdName, ok := parseKeptName(name); ok {
			delete(kept, name)
			t.takeKept(name, file, source, fdName)
		}
	}
	return t, kept
}

// takeKept takes a listener over that an earlier daemon has kept. One that the
// service manager passes by itself is the same socket.
func (t *Table) takeKept(name string, file *os.File, source Source, fdName string) {
	l, err := inherit(file, source)
	if err != nil {
		t.log.Error("cannot use a socket that was kept", "name", name, "error", err)
		file.Close()
		return
	}
	l.FDName = fdName
	for _, other := range t.Spare() {
		if other.Name() == l.Name() {
			l.File.Close()
			return
		}
	}
	if source == SourceSystemd {
		l.giveBack = t.put
	}
	t.put(l)
}

func (t *Table) put(l *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spare = append(t.spare, l)
}

// A Want is where an app is to be reached.
type Want struct {
	// App is its name.
	App string
	// Host and Port are its address, unless Path is that of a Unix socket.
	Host string
	Port int
	Path string
}

// Open finds the listeners of an app: sockets of the service manager's, by their
// address, else by the app's name; those of held that fit; and what is missing
// is bound.
func (t *Table) Open(ctx context.Context, w Want, held []*Listener) Set {
	held = append(held[:len(held):len(held)], t.Spare()...)
	var set Set
	if w.Path != "" {
		set = openPath(w.Path, held)
	} else {
		set = t.openHost(ctx, w, held)
	}
	for _, l := range set.Listeners {
		t.take(l)
	}
	t.noteResolved(w, set)
	return set
}

// Claim takes the spare listeners of these names, which are those that an app
// had before. Nothing is looked up for that: a name server that does not answer
// must not part an app from its clients.
func (t *Table) Claim(names []string) (claimed []*Listener) {
	for _, l := range t.Spare() {
		if slices.Contains(names, l.Name()) {
			t.take(l)
			claimed = append(claimed, l)
		}
	}
	return claimed
}

func (t *Table) openHost(ctx context.Context, w Want, held []*Listener) Set {
	addresses, err := Resolve(ctx, w.Host, w.Port)
	if err != nil {
		return Set{Listeners: named(held, w.App), Err: err, Unresolved: true}
	}
	known := false
	for _, address := range addresses {
		known = known || find(held, address) != nil
	}
	if own := named(held, w.App); !known && len(own) > 0 {
		return Set{Listeners: own}
	}
	return bindAll(addresses, held)
}

// Spare are the inherited listeners that no app uses.
func (t *Table) Spare() []*Listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*Listener(nil), t.spare...)
}

// take notes that an inherited listener is in use.
func (t *Table) take(used *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, l := range t.spare {
		if l == used {
			t.spare = append(t.spare[:n:n], t.spare[n+1:]...)
			return
		}
	}
}

// keptListeners is the beginning of the names that listeners are kept by.
const keptListeners = "listen/"

// KeptName is the name to keep a listener by: all that is to be known of it
// besides the socket.
func (l *Listener) KeptName() string {
	// An address has colons, which the service manager's store does not take.
	address := strings.NewReplacer(":", "_", "/", "_").Replace(l.Name())
	return keptListeners + string(l.Source) + "/" + address + "/" + l.FDName
}

// parseKeptName reads the name that a listener is kept by.
func parseKeptName(name string) (source Source, fdName string, ok bool) {
	rest, ok := strings.CutPrefix(name, keptListeners)
	if !ok {
		return "", "", false
	}
	text, rest, _ := strings.Cut(rest, "/")
	_, fdName, _ = strings.Cut(rest, "/")
	return Source(text), fdName, true
}

// named are the inherited listeners with a FileDescriptorName=.
func named(listeners []*Listener, name string) (found []*Listener) {
	for _, l := range listeners {
		if l.Source == SourceSystemd && l.FDName == name {
			found = append(found, l)
		}
	}
	return found
}

// bindAll binds each address that is not among those held, which are taken over.
// An address that the machine lacks is an error only if it has none of them.
func bindAll(addresses []netip.AddrPort, held []*Listener) (set Set) {
	var missing []error
	for _, address := range addresses {
		l := find(held, address)
		var err error
		if l == nil {
			l, err = Bind(address)
		}
		switch {
		case err == nil:
			set.Listeners = append(set.Listeners, l)
		case errors.Is(err, ErrNoAddress):
			missing = append(missing, err)
		default:
			set.Err = errors.Join(set.Err, err)
		}
	}
	if len(set.Listeners) == 0 && set.Err == nil {
		set.Err = errors.Join(missing...)
	}
	return set
}

// find returns the listener with an address, or nil.
func find(held []*Listener, address netip.AddrPort) *Listener {
	for _, l := range held {
		if l.Path == "" && (sameAddress(l.Address, address) || (l.Address.Port() == address.Port() &&
			l.Address.Addr().IsUnspecified() && address.Addr() == netip.IPv6Unspecified())) {
			return l
		}
	}
	return nil
}
