package config

import (
	"fmt"
	"regexp"
	"strings"
)

// maxPath is PATH_MAX of Linux without the terminating null byte.
const maxPath = 4095

// readText returns the text of a value that must be text to YAML as well: what
// YAML takes for a number may not look as it was written elsewhere.
func readText(n *node, c complain, expected string) (string, bool) {
	switch {
	case n.shape == shapeScalar && !n.isText():
		c(n.at, "expected %s, not %s; put it in quotes if it is meant as text", expected, n.describe())
		return "", false
	case n.shape != shapeScalar:
		mismatch(n, c, expected)
		return "", false
	case strings.ContainsRune(n.text, 0):
		c(n.at, "expected %s, without a null character", expected)
		return "", false
	}
	return n.text, true
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// appName is the name of an app. It becomes part of file names.
var appName = kind[string]{"name", func(n *node, c complain) (string, bool) {
	text, ok := readText(n, c, "a name")
	if !ok {
		return "", false
	}
	if !nameRule.MatchString(text) || text == "." || text == ".." {
		c(n.at, "expected 1 to 64 letters, digits, '-', '_' or '.' (and not . or ..), not %s", n.describe())
		return "", false
	}
	return text, true
}}

// userName is the name of a user. Whether there is such a user is another
// question, see checkUsers.
var userName = kind[string]{"user name", func(n *node, c complain) (string, bool) {
	text, ok := readText(n, c, "a user name")
	if ok && (text == "" || len(text) > 256 || strings.ContainsAny(text, ":/\n\t ")) {
		mismatch(n, c, "a user name")
		return "", false
	}
	return text, ok
}}

// path is the name of a file or folder, as written.
var path = kind[string]{"path", readPath}

func readPath(n *node, c complain) (string, bool) {
	text, ok := readText(n, c, "a path")
	switch {
	case !ok:
		return "", false
	case text == "":
		c(n.at, "expected a path, not an empty text")
	case len(text) > maxPath:
		c(n.at, "expected a path of at most %d bytes, not one of %d", maxPath, len(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		c(n.at, "expected a path without control characters")
	case strings.HasPrefix(text, "~/"):
		c(n.at, `"~" does not stand for a home directory here: write the whole path`)
	default:
		return text, true
	}
	return "", false
}

// filePath is a path that cannot be a folder's.
var filePath = kind[string]{"path", func(n *node, c complain) (string, bool) {
	text, ok := readPath(n, c)
	if ok && (strings.HasSuffix(text, "/") || strings.HasSuffix(text, "/.") || strings.HasSuffix(text, "/..") ||
		text == "." || text == "..") {
		c(n.at, "expected the path of a file, not of a folder: %s", n.describe())
		return "", false
	}
	return text, ok
}}

// maxSocketPath is how long the path of a Unix socket may be (unix(7): sun_path
// holds 108 bytes with the null byte at the end).
const maxSocketPath = 107

// socketPath is where a Unix socket is made. How long it may be is another
// question, see checker.sockets: it counts from the root.
var socketPath = kind[string]{"path of a Unix socket", func(n *node, c complain) (string, bool) {
	text, ok := filePath.read(n, c)
	if ok && strings.HasPrefix(text, "@") {
		c(n.at, "expected the path of a Unix socket: abstract names, with an @, are open to everybody and not used here")
		return "", false
	}
	return text, ok
}}

// word is one of several words.
func word(words ...string) kind[string] {
	expected := joinWords(words, "or")
	return kind[string]{expected, func(n *node, c complain) (string, bool) {
		if n.shape != shapeScalar {
			mismatch(n, c, expected)
			return "", false
		}
		for _, w := range words {
			if n.text == w {
				return w, true
			}
		}
		c(n.at, "expected %s, not %s%s", expected, n.describe(), suggest(n.text, words))
		return "", false
	}}
}

// suggest returns a question for the nearest word, or nothing.
func suggest(text string, words []string) string {
	if w, ok := nearest(text, words); ok {
		return fmt.Sprintf("; did you mean %q?", w)
	}
	return ""
}

// proxyMode is word with its own type.
var proxyMode = kind[ProxyMode]{"http or tcp", func(n *node, c complain) (ProxyMode, bool) {
	text, ok := word(string(ProxyHTTP), string(ProxyTCP)).read(n, c)
	return ProxyMode(text), ok
}}

// readiness is word with its own type.
var readiness = kind[Readiness]{"probe or notify", func(n *node, c complain) (Readiness, bool) {
	text, ok := word(string(ReadyProbe), string(ReadyNotify)).read(n, c)
	return Readiness(text), ok
}}

// accessLog is off, as empty, or a format.
var accessLog = kind[string]{"off, json or combined", func(n *node, c complain) (string, bool) {
	text, ok := word("off", "json", "combined").read(n, c)
	if text == "off" {
		text = ""
	}
	return text, ok
}}

// onOff is a bool. YAML 1.2 knows true and false; on and off are text to it.
var onOff = kind[bool]{"on or off", func(n *node, c complain) (bool, bool) {
	if n.shape == shapeScalar {
		switch n.text {
		case "true", "True", "TRUE", "on":
			return true, true
		case "false", "False", "FALSE", "off":
			return false, true
		}
	}
	mismatch(n, c, "on or off (or true or false)")
	return false, false
}}

// healthPath is a request target in origin-form (RFC 9112, section 3.2.1):
// segments and a query of the characters of RFC 3986, sections 3.3 and 3.4.
var healthPath = kind[string]{"path of a URL", func(n *node, c complain) (string, bool) {
	const longest = 2048
	text, ok := readText(n, c, "the path of a URL, beginning with /")
	switch {
	case !ok:
		return "", false
	case !strings.HasPrefix(text, "/"):
		mismatch(n, c, "the path of a URL, beginning with /")
	case len(text) > longest:
		c(n.at, "expected a path of at most %d bytes, not one of %d", longest, len(text))
	case targetRule.FindString(text) != text:
		legal := len(targetRule.FindString(text))
		c(n.at, "expected the path of a URL: what follows %q needs percent-encoding", shorten(text[:legal]))
	default:
		return text, true
	}
	return "", false
}}

// targetRule matches as much of a target as is legal.
var targetRule = regexp.MustCompile(`^/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*`)
