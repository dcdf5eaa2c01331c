package config

import (
	"errors"
	"strings"
)

var (
	errQuote     = errors.New("a quote is not closed")
	errBackslash = errors.New("a backslash stands at the end; write it twice, or in quotes")
)

// splitWords splits a command as a shell does (POSIX.1-2024, Shell Command
// Language, sections 2.2 and 2.6.5): blanks part words; a backslash takes the
// meaning from the next character; within ' ' everything, within " " everything
// but \$ \` \" \\ stands for itself; a backslash before a newline vanishes with
// it. Nothing is expanded, and operators are characters like others: no shell
// is run.
func splitWords(text string) ([]string, error) {
	var s splitter
	for rest := text; rest != ""; {
		r := rest[0]
		rest = rest[1:]
		switch {
		case s.quote == '\'' && r != '\'':
			s.word.WriteByte(r)
		case r == '\\':
			if rest == "" {
				return nil, errBackslash
			}
			s.escape(rest[0])
			rest = rest[1:]
		case s.quote != 0 && r == s.quote:
			s.quote = 0
		case s.quote != 0:
			s.word.WriteByte(r)
		case r == '\'' || r == '"':
			s.quote, s.open = r, true
		case r == ' ' || r == '\t' || r == '\n':
			s.end()
		default:
			s.open = true
			s.word.WriteByte(r)
		}
	}
	if s.quote != 0 {
		return nil, errQuote
	}
	s.end()
	return s.words, nil
}

// splitter is the state of splitWords. A word is open once it has begun: "" is
// a word without characters.
type splitter struct {
	words []string
	word  strings.Builder
	open  bool
	quote byte
}

// escape takes the character after a backslash, which stands outside quotes or
// within double ones.
func (s *splitter) escape(r byte) {
	if r == '\n' {
		return
	}
	if s.quote == '"' && !strings.ContainsRune("$`\"\\", rune(r)) {
		s.word.WriteByte('\\')
	}
	s.open = true
	s.word.WriteByte(r)
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}
