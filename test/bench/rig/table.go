package rig

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is printed as Markdown, aligned so that it can be read as it is.
type Table struct {
	Head []string
	Rows [][]string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Print writes the table. All columns but the first are aligned to the right.
func (t *Table) Print(w io.Writer) {
	width := make([]int, len(t.Head))
	rule := make([]string, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for n, cell := range row {
			width[n] = max(width[n], utf8.RuneCountInString(cell), 3)
		}
	}
	for n := range rule {
		rule[n] = strings.Repeat("-", width[n]-1) + ":"
	}
	rule[0] = strings.Repeat("-", width[0])
	for _, row := range append([][]string{t.Head, rule}, t.Rows...) {
		for n, cell := range row {
			format := "| %*s "
			size := width[n]
			if n == 0 {
				size = -size
			}
			fmt.Fprintf(w, format, size, cell)
		}
		fmt.Fprintln(w, "|")
	}
}
