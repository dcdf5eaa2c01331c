package activation

import (
	"context"
	"errors"
	"net/netip"
)

// A Set is what became of an external address: the listeners of the addresses
// that its host stands for.
type Set struct {
	Listeners []*Listener
	// Err says which of the addresses could not be bound, and why. It may be
	// set beside listeners.
	Err error
}

// Names are the names of the listeners.
func (s Set) Names() []string {
	names := make([]string, len(s.Listeners))
	for i, l := range s.Listeners {
		names[i] = l.Name()
	}
	return names
}

// BindHost binds each address of a host that is not among those held already,
// which are taken over into the Set. An address that the machine lacks is an
// error only if it has none of them. It may block for as long as ctx lets it
// look up a name.
func BindHost(ctx context.Context, host string, port int, held []*Listener) Set {
	addresses, err := Resolve(ctx, host, port)
	if err != nil {
		return Set{Listeners: held, Err: err}
	}
	var set Set
	var missing []error
	for _, address := range addresses {
		l := find(held, address)
		if l == nil {
			l, err = Bind(address)
		}
		switch {
		case l != nil:
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

func find(held []*Listener, address netip.AddrPort) *Listener {
	for _, l := range held {
		if l.Address == address || (l.Address.Port() == address.Port() &&
			l.Address.Addr().IsUnspecified() && address.Addr() == netip.IPv6Unspecified()) {
			return l
		}
	}
	return nil
}
