package config

import (
	"fmt"
	"strings"
)

// shape is what a value looks like in the file.
type shape uint8

const (
	// shapeNone is a key without a value, or null: as if the key were absent.
	shapeNone shape = iota
	shapeScalar
	shapeList
	shapeMapping
)

// node is a value of a file as the checks see it: aliases are followed and
// merge keys applied. Nodes are shared (an aliased value is one node) and are
// not changed once their document is parsed.
type node struct {
	at    place
	shape shape
	// text and tag are those of a scalar, the tag in YAML's short form:
	// "!!str", "!!int", "!!float", "!!bool" or "!!timestamp".
	text, tag string
	items     []*node
	fields    []field
	// size is the number of nodes below and including this one, each alias
	// counted as what it stands for.
	size int
}

// field is a key of a mapping and its value.
type field struct {
	key   string
	at    place
	value *node
}

// isText reports whether a scalar is text to YAML: quoted, or nothing else. A
// date is text to us.
func (n *node) isText() bool {
	return n.shape == shapeScalar && (n.tag == "!!str" || n.tag == "!!timestamp")
}

// describe names a value in a message: "not …".
func (n *node) describe() string {
	switch n.shape {
	case shapeNone:
		return "nothing"
	case shapeList:
		return "a list"
	case shapeMapping:
		return "a mapping"
	}
	if n.isText() {
		return fmt.Sprintf("%q", shorten(n.text))
	}
	return shorten(n.text)
}

// hint returns what to say about a mapping that was meant as a placeholder:
// {port} without quotes is a mapping to YAML.
func (n *node) hint() string {
	if n.shape == shapeMapping && len(n.fields) == 1 && n.fields[0].value.shape == shapeNone {
		switch word := "{" + n.fields[0].key + "}"; word {
		case portPlaceholder, socketPlaceholder:
			return "; put " + word + " in quotes"
		}
	}
	return ""
}

// shorten cuts text to a length that fits into a line of a log.
func shorten(text string) string {
	const most = 60
	if runes := []rune(text[:min(len(text), 4*most+4)]); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// joinWords returns "a, b and c".
func joinWords(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	end := len(words) - 1
	return strings.Join(words[:end], ", ") + " " + last + " " + words[end]
}
