package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// lead is put before a document that does not parse, see locate.
const lead = "\n\n"

// maxBisected bounds the size of a file whose faults are looked for by parsing
// parts of it.
const maxBisected = 128 << 10

var errorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parserProblems are the messages of the YAML parser, as against its scanner,
// with what we say instead. The parser tells the line before the one in which
// the collection began that was being read (its count starts at 0); for a block
// collection the line that broke it is of more use, and is looked for.
var parserProblems = map[string]struct {
	say    string
	bisect bool
}{
	"did not find expected key":              {"expected a key of the mapping here: check the indentation, and the quotes", true},
	"did not find expected '-' indicator":    {"expected an item of the list, beginning with '-': check the indentation", true},
	"did not find expected node content":     {"expected a value, or quotes around it", false},
	"did not find expected ',' or ']'":       {"the list in [ ] has no end, or lacks a comma; values with { or } in it need quotes", false},
	"did not find expected ',' or '}'":       {"the mapping in { } has no end, or lacks a comma; values with { or } in it need quotes", false},
	"did not find expected <document start>": {"expected --- after the directives", false},
	"found duplicate %YAML directive":        {"duplicate %YAML directive", false},
	"found duplicate %TAG directive":         {"duplicate %TAG directive", false},
	"found incompatible YAML document":       {"unsupported version of YAML", false},
	"found undefined tag handle":             {"unknown YAML tag", false},
}

// scannerProblems are messages of the YAML scanner that can be said better.
var scannerProblems = map[string]string{
	"found unexpected end of stream":                 "the quoted text that begins here has no end",
	"could not find expected ':'":                    "expected ':' and a value after the key",
	"mapping values are not allowed in this context": "unexpected ':' here: check the indentation, and put values with ': ' in quotes",
}

// locate returns the place of an error of the YAML parser, and what to say
// about it. The parser tells a line at most, and none if it would be the first
// one; so the document is parsed again with empty lines before it.
func locate(file string, data []byte, err error) (place, string) {
	shift := 0
	if again := attempt(append([]byte(lead), data...)); again != nil {
		err, shift = again, len(lead)
	}
	match := errorLine.FindStringSubmatch(err.Error())
	if match == nil {
		return startOf(file), "not valid YAML"
	}
	message := match[2]
	line := 1
	if told, err := strconv.Atoi(match[1]); err == nil {
		line = told - shift
	}
	line, say := explain(data, line, message)
	lines := strings.Split(strings.TrimRight(string(data), "\r\n"), "\n")
	line = max(1, min(line, len(lines)))
	if strings.HasPrefix(message, "found a tab character") {
		line += max(0, slices.IndexFunc(lines[line-1:], indentedWithTab))
	}
	column, better := columnOf(lines[line-1], message)
	if better != "" {
		say = better
	}
	return place{file, line, column}, say
}

// explain returns what to say instead of a message, and the line that it means
// where the parser told another one.
func explain(data []byte, line int, message string) (int, string) {
	if p, ok := parserProblems[message]; ok {
		line++
		if p.bisect {
			line = bisect(data, message, line)
		}
		return line, p.say
	}
	if name, ok := unknownAlias(message); ok {
		return bisect(data, message, line),
			fmt.Sprintf("unknown alias *%s: no anchor of that name stands before it", shorten(name))
	}
	if say, ok := scannerProblems[message]; ok {
		return line, say
	}
	return line, "not valid YAML: " + message
}

// unknownAlias returns the name in the message about an alias without anchor.
func unknownAlias(message string) (name string, ok bool) {
	name, ok = strings.CutPrefix(message, "unknown anchor '")
	return strings.TrimSuffix(name, "' referenced"), ok
}

// attempt returns the error that the first or second document of data gives.
func attempt(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for range 2 {
		if _, err := decode(decoder); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// bisect returns the first line with which the document fails with message, or
// line if the file is large. It serves for messages that a document cannot give
// for being cut off.
func bisect(data []byte, message string, line int) int {
	if len(data) > maxBisected {
		return line
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	end := 0
	ends := make([]int, len(lines))
	for i, l := range lines {
		end += len(l)
		ends[i] = end
	}
	found := sort.Search(len(lines), func(i int) bool {
		err := attempt(data[:ends[i]])
		return err != nil && strings.HasSuffix(err.Error(), message)
	})
	return min(found, len(lines)-1) + 1
}

func indentedWithTab(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " "), "\t")
}

// columnOf returns the column that a message about a line means, and what to
// say instead of the message if the line tells more than it.
func columnOf(line, message string) (column int, better string) {
	at := len(line) - len(strings.TrimLeft(line, " "))
	switch {
	case indentedWithTab(line):
		better = "indented with a tab: YAML allows spaces only"
	case message == "found character that cannot start any token":
		if i := strings.IndexAny(line, "@`%\t"); i >= 0 {
			at = i
			better = fmt.Sprintf("unexpected %q: a value that begins with it needs quotes", line[i])
		}
	case message == "mapping values are not allowed in this context":
		if i := strings.LastIndex(line, ": "); i >= 0 {
			at = i
		}
	default:
		if name, ok := unknownAlias(message); ok {
			at = max(0, strings.Index(line, "*"+name))
		}
	}
	if at == len(line) {
		at = 0
	}
	return utf8.RuneCountInString(line[:at]) + 1, better
}
