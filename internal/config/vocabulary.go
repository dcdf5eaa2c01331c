package config

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// vocabulary is the keys of a scope as the reader of a mapping looks them up.
type vocabulary struct {
	scope Scope
	keys  []Key
	known map[string]bool
}

var vocabularies = sync.OnceValue(func() map[Scope]*vocabulary {
	all := map[Scope]*vocabulary{}
	for _, k := range Keys() {
		v := all[k.Scope]
		if v == nil {
			v = &vocabulary{scope: k.Scope, known: map[string]bool{}}
			all[k.Scope] = v
		}
		v.keys = append(v.keys, k)
		v.known[k.Name] = true
	}
	return all
})

// below returns the next words of the keys that begin with prefix.
func (v *vocabulary) below(prefix string) []string {
	var words []string
	for _, k := range v.keys {
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

// meant guesses what an unknown key was meant to be, the surest guess first.
func (v *vocabulary) meant(key, prefix string) string {
	const listed = 12        // sections with more keys are not listed
	if v.known[prefix+key] { // with a dot, as documentation writes it
		section, last, _ := strings.Cut(key, ".")
		return fmt.Sprintf("; write %q below %q", last, section)
	}
	for _, k := range v.keys {
		if section, ok := strings.CutSuffix(k.Name, "."+key); ok {
			return fmt.Sprintf("; did you mean %q below %q?", key, section)
		}
	}
	if section := strings.TrimSuffix(prefix, "."); section != "" && section != key && slices.Contains(v.below(""), key) {
		return fmt.Sprintf("; it does not stand below %q", section)
	}
	for _, k := range Keys() {
		switch {
		case k.Scope == v.scope || k.Name != prefix+key && !strings.HasPrefix(k.Name, prefix+key+"."):
		case k.Scope == ScopeDaemon:
			return "; it is a key of the top level of " + FileName + ", not of an app"
		default:
			return "; it is a key of an app, not of the top level"
		}
	}
	names := v.below(prefix)
	if name, ok := nearest(key, names); ok {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	if len(names) <= listed {
		return "; expected " + joinWords(names, "or")
	}
	return ""
}
