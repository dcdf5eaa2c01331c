package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// safe shows what could control a terminal, or make a line look like another
// one, as an escape sequence of Go's: control characters but the tab, bytes
// that are no UTF-8, and characters without an image, among them those that
// change the direction of writing.
func safe(text string) string {
	return escape(text, func(r rune, raw string) string {
		switch {
		case r == utf8.RuneError && len(raw) == 1:
			return fmt.Sprintf(`\x%02x`, raw[0])
		case r == '\t' || unicode.IsPrint(r):
			return raw
		case r < 0x80:
			return fmt.Sprintf(`\x%02x`, r)
		case r <= 0xffff:
			return fmt.Sprintf(`\u%04x`, r)
		}
		return fmt.Sprintf(`\U%08x`, r)
	})
}

// safeLines does so with each line of a text, and indents all but the first.
func safeLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return strings.Join(lines, "\n  ")
}

// safeJSON does the same within a JSON text, with JSON's escape sequences: it
// stays the same value.
func safeJSON(text string) string {
	return escape(text, func(r rune, raw string) string {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			return raw
		case r <= 0xffff:
			return fmt.Sprintf(`\u%04x`, r)
		}
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	})
}

func escape(text string, each func(r rune, raw string) string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		out.WriteString(each(r, text[:size]))
		text = text[size:]
	}
	return out.String()
}
