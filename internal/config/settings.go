package config

import (
	"fmt"
	"slices"
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
	scope Scope
	keys  []Key // of the scope
	known map[string]bool
	s     settings
	found *findings
}

func newGatherer(scope Scope, at place, found *findings) *gatherer {
	g := &gatherer{
		scope: scope,
		known: map[string]bool{},
		s:     settings{at: at, values: map[string]*node{}, faulty: map[string]bool{}},
		found: found,
	}
	for _, k := range Keys() {
		if k.Scope == scope {
			g.keys = append(g.keys, k)
			g.known[k.Name] = true
		}
	}
	return g
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

// below returns the next words of the keys that begin with prefix.
func (g *gatherer) below(prefix string) []string {
	var words []string
	for _, k := range g.keys {
		rest, ok := strings.CutPrefix(k.Name, prefix)
		word, _, _ := strings.Cut(rest, ".")
		// The keys of a section stand together in the tables.
		if ok && (len(words) == 0 || words[len(words)-1] != word) {
			words = append(words, word)
		}
	}
	return words
}

// theKeys lists the keys of a section in a message.
func theKeys(words []string) string {
	if len(words) == 1 {
		return "the key " + words[0]
	}
	return "the keys " + joinWords(words, "and")
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

// meant guesses what an unknown key was meant to be, the surest guess first.
func (g *gatherer) meant(key, prefix string) string {
	const listed = 9         // sections with more keys are not listed
	if g.known[prefix+key] { // with a dot, as documentation writes it
		section, last, _ := strings.Cut(key, ".")
		return fmt.Sprintf("; write %q below %q", last, section)
	}
	for _, k := range g.keys {
		if section, ok := strings.CutSuffix(k.Name, "."+key); ok {
			return fmt.Sprintf("; did you mean %q below %q?", key, section)
		}
	}
	if section := strings.TrimSuffix(prefix, "."); section != "" && section != key && slices.Contains(g.below(""), key) {
		return fmt.Sprintf("; it does not stand below %q", section)
	}
	for _, k := range Keys() {
		switch {
		case k.Scope == g.scope || k.Name != prefix+key && !strings.HasPrefix(k.Name, prefix+key+"."):
		case k.Scope == ScopeDaemon:
			return "; it is a key of the top level of " + FileName + ", not of an app"
		default:
			return "; it is a key of an app, not of the top level"
		}
	}
	names := g.below(prefix)
	if name, ok := nearest(key, names); ok {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	if len(names) <= listed {
		return "; expected " + joinWords(names, "or")
	}
	return ""
}
