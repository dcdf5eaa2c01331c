package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds on one file. The YAML parser is linear within them: the worst file
// that they let through takes a fraction of a second.
const (
	maxFileSize = 1 << 20
	// maxDepth is far beyond the four levels that the keys need.
	maxDepth = 20
	// maxNodes bounds the values of a file, aliased ones counted at each use.
	maxNodes = 200_000
)

// parse reads the YAML document in data. It returns a mapping, or, if the
// document is empty, a node of shapeNone; or nil after a fault in the syntax.
// Other shapes are returned as they are, for the caller to complain of.
func parse(file string, data []byte, found *findings) *node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if at, problem := checkText(file, data); problem != "" {
		found.add(at, "%s", problem)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := decode(decoder)
	if errors.Is(err, io.EOF) {
		return &node{at: startOf(file), size: 1}
	}
	if err != nil {
		at, problem := locate(file, data, err)
		found.add(at, "%s", problem)
		return nil
	}
	second, err := decode(decoder)
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		at, problem := locate(file, data, err)
		found.add(at, "%s", problem)
		return nil
	default:
		found.add(place{file, second.Line, second.Column},
			"expected one YAML document in the file, found another one here")
		return nil
	}
	return grow(file, doc, found)
}

// decode returns the next document of d. A panic of the parser, of which
// fuzzing has found some in the past, is an error like others.
func decode(d *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	doc = new(yaml.Node)
	return doc, d.Decode(doc)
}

// checkText finds what the YAML parser refuses without telling where: bytes
// that are not UTF-8, and the characters that YAML does not allow in a file
// (YAML 1.2.2, section 5.1). An empty problem means that there is none.
func checkText(file string, data []byte) (at place, problem string) {
	if len(data) > maxFileSize {
		return startOf(file), fmt.Sprintf("the file is larger than %d bytes", maxFileSize)
	}
	at = startOf(file)
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fmt.Sprintf("the file is not UTF-8: unexpected byte 0x%02x", rest[0])
		case !printable(r):
			return at, fmt.Sprintf("the character %U is not allowed in YAML", r)
		case r == '\n':
			at.line++
			at.column = 0
		}
		at.column++
		rest = rest[size:]
	}
	return at, ""
}

// printable is c-printable of YAML 1.2.2, production 1, without the byte order
// mark, which the parser takes for a control character within a file.
func printable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return true
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return false
	case r == 0xfeff, r == 0xfffe, r == 0xffff:
		return false
	}
	return true
}
