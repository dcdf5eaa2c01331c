package activation

import (
	"context"
	"log/slog"
)

// A Set is what became of an external address: the listeners of the addresses
// that its host stands for.
type Set struct {
	Listeners []*Listener
	// Err says which of the addresses could not be bound, and why. It may be
	// set beside listeners.
	Err error
	// Unresolved: the host could not be looked up. Which addresses it stands for
	// nobody knows; that it had others before is not said by that.
	Unresolved bool
}

// Names are the names of the listeners.
func (s Set) Names() []string {
	names := make([]string, len(s.Listeners))
	for i, l := range s.Listeners {
		names[i] = l.Name()
	}
	return names
}

// BindHost is Open of a Table that has inherited nothing.
func BindHost(ctx context.Context, host string, port int, held []*Listener) Set {
	t := &Table{log: slog.New(slog.DiscardHandler)}
	return t.Open(ctx, Want{Host: host, Port: port}, held)
}
