package main

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A table is rows of cells, the first being the heads of its columns.
type table [][]string

// add appends a row, made safe for a terminal.
func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = safe(cells[i])
	}
	*t = append(*t, cells)
}

// tells says whether a column has a cell that is not "-" or empty.
func (t table) tells(head string) bool {
	at := slices.Index(t[0], head)
	return slices.ContainsFunc(t[1:], func(row []string) bool { return row[at] != "-" && row[at] != "" })
}

// drop leaves out a column, if there is one of that head.
func (t table) drop(head string) {
	at := slices.Index(t[0], head)
	if at < 0 {
		return
	}
	for i := range t {
		t[i] = slices.Delete(t[i], at, at+1)
	}
}

// widths are those of the columns.
func (t table) widths() []int {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// gap is the space between columns.
const gap = 2

// width is that of the longest line.
func (t table) width() int {
	longest := 0
	for _, w := range t.widths() {
		longest += w + gap
	}
	return longest - gap
}

// render aligns the columns.
func (t table) render() string {
	widths := t.widths()
	var text strings.Builder
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap))
		}
		text.WriteString(strings.TrimRight(line.String(), " "))
		text.WriteByte('\n')
	}
	return text.String()
}
