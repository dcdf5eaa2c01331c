package config

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Placeholders in command and environment, replaced for each instance.
const (
	portPlaceholder   = "{port}"
	socketPlaceholder = "{socket}"
)

// containsPlaceholder reports whether a placeholder stands in a word of the
// command or in the value of an environment variable.
func containsPlaceholder(a *App, placeholder string) bool {
	for _, word := range a.Command {
		if strings.Contains(word, placeholder) {
			return true
		}
	}
	for _, pair := range a.Environment {
		if strings.Contains(pair, placeholder) {
			return true
		}
	}
	return false
}

// command is the words of a command, or a text that is split into them. Faults
// do not quote it: passwords are found in commands.
var command = kind[[]string]{"command, or list of its words", func(n *node, c complain) ([]string, bool) {
	words, ok := readWords(n, c)
	switch {
	case !ok:
		return nil, false
	case len(words) == 0 || words[0] == "":
		c(n.at, "expected a command, not an empty text")
		return nil, false
	case strings.HasPrefix(words[0], "~/"):
		c(n.at, `"~" does not stand for a home directory here: write the whole path of the command`)
		return nil, false
	}
	return words, true
}}

func readWords(n *node, c complain) ([]string, bool) {
	const expected = "a command, or a list of its words"
	if n.shape == shapeList {
		words := make([]string, 0, len(n.items))
		for _, item := range n.items {
			if !anyText(item, c, "a word of the command") {
				return nil, false
			}
			words = append(words, item.text)
		}
		return words, true
	}
	text, ok := readText(n, c, expected)
	if !ok {
		return nil, false
	}
	words, err := splitWords(text)
	if err != nil {
		c(n.at, "expected words as a shell splits them: %v", err)
	}
	return words, err == nil
}

// anyText accepts every scalar as the text that was written: in a list of
// words, 10 and true are words.
func anyText(n *node, c complain, expected string) bool {
	switch {
	case n.shape != shapeScalar:
		mismatch(n, c, expected)
	case strings.ContainsRune(n.text, 0):
		c(n.at, "expected %s, without a null character", expected)
	default:
		return true
	}
	return false
}

// environment is a list of NAME=value. Faults never quote a value.
var environment = kind[[]string]{"list of NAME=value", func(n *node, c complain) ([]string, bool) {
	if n.shape != shapeList {
		mismatch(n, c, "a list of NAME=value")
		return nil, false
	}
	pairs := make([]string, 0, len(n.items))
	first := make(map[string]place, len(n.items))
	good := true
	for _, item := range n.items {
		name, ok := readPair(item, c)
		if before, taken := first[name]; ok && taken {
			c(item.at, "duplicate variable %s, already set at %s", name, before)
			ok = false
		}
		if !ok {
			good = false
			continue
		}
		first[name] = item.at
		pairs = append(pairs, item.text)
	}
	return pairs, good
}}

func readPair(n *node, c complain) (name string, ok bool) {
	if n.shape == shapeMapping {
		c(n.at, "expected NAME=value, not a mapping: write = in place of ':', and values with { } in quotes")
		return "", false
	}
	if !anyText(n, c, "NAME=value") {
		return "", false
	}
	name, _, found := strings.Cut(n.text, "=")
	switch {
	case !found:
		c(n.at, "expected NAME=value, found no '='")
	case !validVariable(name):
		c(n.at, "expected letters, digits and '_' as the name of a variable, not beginning with a digit, not %q", shorten(name))
	default:
		return name, true
	}
	return "", false
}

// validVariable reports whether name is a Name of POSIX.1-2024, Base
// Definitions, section 3.216: what every shell and runtime can read.
func validVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// stopSignal is the name of a signal, with or without SIG (signal(7)).
var stopSignal = kind[int]{"name of a signal", func(n *node, c complain) (int, bool) {
	const expected = "the name of a signal such as TERM, INT or QUIT"
	if n.shape != shapeScalar {
		mismatch(n, c, expected)
		return 0, false
	}
	name := strings.TrimPrefix(strings.ToUpper(n.text), "SIG")
	switch signal := unix.SignalNum("SIG" + name); signal {
	case 0:
		hint := suggest(name, signalNames())
		if number, err := strconv.Atoi(name); err == nil && unix.SignalName(unix.Signal(number)) != "" {
			hint = "; did you mean " + unix.SignalName(unix.Signal(number)) + "?"
		}
		c(n.at, "expected %s, not %s%s", expected, n.describe(), hint)
		return 0, false
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		c(n.at, "expected a signal that makes an app exit; %s suspends it", name)
		return 0, false
	default:
		return int(signal), true
	}
}}

func signalNames() []string {
	var names []string
	for number := unix.Signal(1); number <= unix.SIGSYS; number++ {
		if name := unix.SignalName(number); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}
