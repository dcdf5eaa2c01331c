package config

import (
	"fmt"
	"strings"
)

// settings are the values of a mapping and of the sections in it.
type settings struct {
	at place
	// values holds the nodes by the dotted names of their keys; those without
	// a value are left out.
	values map[string]*node
	// faulty holds the keys whose value could not be read, so that no other
	// check complains of the same mistake again.
	faulty map[string]bool
}

// has reports whether a key stands in the file with a value.
func (s *settings) has(name string) bool { return s.values[name] != nil }

// where returns the place of a key's value: the first of names that is there,
// else the place of the mapping.
func (s *settings) where(names ...string) place {
	for _, name := range names {
		if n := s.values[name]; n != nil {
			return n.at
		}
	}
	return s.at
}

// read fills a draft from a mapping: what stands there with the readers of the
// table, the rest with the defaults. It reports all that is wrong with single
// keys and values.
func read[S any](n *node, table []entry[S], into *S, found *findings) settings {
	g := newGatherer(table[0].Scope, n.at, found)
	g.section(n, "")
	for i := range table {
		e := &table[i]
		e.preset(into)
		value := g.s.values[e.Name]
		if value == nil {
			if e.Required {
				found.add(n.at, "missing key %q: every %s needs it", e.Name, e.Scope)
			}
			continue
		}
		complain := func(at place, format string, args ...any) {
			found.add(at, "%s: %s", e.Name, fmt.Sprintf(format, args...))
		}
		if !e.read(value, into, complain) {
			g.s.faulty[e.Name] = true
		}
	}
	return g.s
}

// gatherer collects the values of one mapping by dotted key.
type gatherer struct {
	*vocabulary
	s     settings
	found *findings
}

func newGatherer(scope Scope, at place, found *findings) *gatherer {
	return &gatherer{
		vocabulary: vocabularies()[scope],
		s:          settings{at: at, values: map[string]*node{}, faulty: map[string]bool{}},
		found:      found,
	}
}

// section collects the keys of n; prefix is empty or ends with a dot.
func (g *gatherer) section(n *node, prefix string) {
	for _, f := range n.fields {
		name := prefix + f.key
		switch {
		case g.known[name] && !strings.Contains(f.key, "."):
			if f.value.shape != shapeNone {
				g.s.values[name] = f.value
			}
		case prefix == "" && len(g.below(name+".")) > 0:
			g.subsection(f, name)
		default:
			g.unknown(f, prefix)
		}
	}
}

func (g *gatherer) subsection(f field, name string) {
	switch f.value.shape {
	case shapeMapping:
		g.section(f.value, name+".")
	case shapeNone:
	default:
		g.found.add(f.value.at, "%s: expected a mapping with %s, not %s",
			name, theKeys(g.below(name+".")), f.value.describe())
	}
}

// unknown complains of a key that does not exist and says which was meant.
func (g *gatherer) unknown(f field, prefix string) {
	if g.found.full() {
		g.found.add(f.at, "unknown key")
		return
	}
	where := ""
	if prefix != "" {
		where = " in " + strings.TrimSuffix(prefix, ".")
	}
	g.found.add(f.at, "unknown key %q%s%s", shorten(f.key), where, g.meant(f.key, prefix))
}
