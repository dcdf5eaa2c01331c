package config

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Scope says where a key stands.
type Scope string

// The scopes.
const (
	// ScopeDaemon keys stand at the top level of gracevisor.yaml.
	ScopeDaemon Scope = "daemon"
	// ScopeApp keys stand in an app: an item of apps, or an included file.
	ScopeApp Scope = "app"
)

// A Key documents a key of the configuration.
type Key struct {
	Scope Scope
	// Name is dotted: "logger.log_dir" is log_dir below logger.
	Name string
	// Type says in a few words what the value may be.
	Type string
	// Default is the value that an absent key has, as one would write it, or,
	// if Derived, how it is found. It is empty for a required key.
	Default string
	// Derived says that Default is no value but words.
	Derived bool
	// Required keys must be there.
	Required bool
	// Doc says what the key means, in a phrase.
	Doc string
}

// Keys returns every key that there is: those of the daemon, then those of an
// app, each in the order of the reference.
func Keys() []Key {
	keys := make([]Key, 0, len(daemonKeys)+len(appKeys))
	for _, e := range daemonKeys {
		keys = append(keys, e.Key)
	}
	for _, e := range appKeys {
		keys = append(keys, e.Key)
	}
	return keys
}

// WriteKeys writes the keys of a scope as a Markdown table, the reference in
// the README.
func WriteKeys(w io.Writer, scope Scope) error {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range Keys() {
		if k.Scope != scope {
			continue
		}
		fallback := "`" + k.Default + "`"
		switch {
		case k.Required:
			fallback = "required"
		case k.Derived:
			fallback = k.Default
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.Type, fallback, k.Doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// complain tells what is wrong with a value, or with the part of it that
// stands at a place.
type complain func(at place, format string, args ...any)

// kind is a type of values: its name in the reference and its reader. The
// reader either returns the value and true, or complains and returns false. It
// is never given a node of shapeNone.
type kind[T any] struct {
	name string
	read func(n *node, c complain) (T, bool)
}

// entry is a key of a draft of type S, and how the draft gets its value.
type entry[S any] struct {
	Key
	// read sets the value, or complains and returns false.
	read func(n *node, into *S, c complain) bool
	// preset sets the default. It does nothing if that is derived.
	preset func(into *S)
}

// option is a key whose default is the value written as fallback.
func option[S, T any](name string, k kind[T], fallback, doc string, target func(*S) *T) entry[S] {
	e := required(name, k, doc, target)
	e.Required, e.Default = false, fallback
	value := sync.OnceValue(func() T { return k.literal(name, fallback) })
	e.preset = func(into *S) { *target(into) = value() }
	return e
}

// derived is a key whose default is found in other ways, told by words.
func derived[S, T any](name string, k kind[T], words, doc string, target func(*S) *T) entry[S] {
	e := required(name, k, doc, target)
	e.Required, e.Default, e.Derived = false, words, true
	return e
}

// required is a key without a default.
func required[S, T any](name string, k kind[T], doc string, target func(*S) *T) entry[S] {
	return entry[S]{
		Key: Key{Name: name, Type: k.name, Doc: doc, Required: true},
		read: func(n *node, into *S, c complain) bool {
			value, ok := k.read(n, c)
			if ok {
				*target(into) = value
			}
			return ok
		},
		preset: func(*S) {},
	}
}

// in puts the entries of a table into a scope.
func in[S any](scope Scope, table []entry[S]) []entry[S] {
	for i := range table {
		table[i].Scope = scope
	}
	return table
}

// literal reads a value that stands in the program, with the reader of the
// values that users write. That all of them are right is tested.
func (k kind[T]) literal(name, text string) T {
	n := parse(name, []byte(text), &findings{})
	value, ok := k.read(n, func(_ place, format string, args ...any) {
		panic(fmt.Sprintf("default of %s: ", name) + fmt.Sprintf(format, args...))
	})
	if !ok {
		panic("default of " + name + " cannot be read")
	}
	return value
}

// mismatch complains that a value is not what its kind expects.
func mismatch(n *node, c complain, expected string) {
	c(n.at, "expected %s, not %s%s", expected, n.describe(), n.hint())
}
