package config

import (
	"cmp"
	"fmt"
	"slices"
)

// maxFaults bounds how many faults one Load gathers: a file of rubbish must not
// fill the log of the daemon that refuses it.
const maxFaults = 1000

// A Fault is one thing that is wrong with a configuration.
type Fault struct {
	// File is the path as the user gave it: below the configuration
	// directory, or as apps_include names it.
	File string
	// Line and Column count from 1, the column in characters.
	Line, Column int
	// Message says what is wrong and what was expected, in lower case.
	Message string
}

// Error returns the fault as "file:line:column: message".
func (f Fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Faults is everything that is wrong with a configuration, sorted by file,
// line and column. As an error it is never empty.
type Faults []Fault

// Error returns a single line: the only fault, or the first and how many there
// are. Lines returns them all.
func (f Faults) Error() string {
	switch len(f) {
	case 0:
		return "no faults"
	case 1:
		return f[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", f[0].Error(), len(f)-1)
}

// Lines returns one line per fault: "file:line:column: message".
func (f Faults) Lines() []string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return lines
}

// place is where something stands in the configuration.
type place struct {
	file         string
	line, column int
}

// startOf is the place of what concerns a file as a whole.
func startOf(file string) place { return place{file, 1, 1} }

func (p place) String() string {
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
}

// findings gathers faults (or warnings) in the order in which they are found.
type findings struct {
	list    Faults
	dropped int
}

func (f *findings) add(at place, format string, args ...any) {
	if f.full() {
		f.dropped++
		return
	}
	f.list = append(f.list, Fault{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// full reports whether what is added now is only counted. Whoever spends much
// on the wording of a fault asks first.
func (f *findings) full() bool { return len(f.list) >= maxFaults }

// sorted returns the findings by place, each once: what stands in an aliased
// part of a file is found as often as the part is used.
func (f *findings) sorted() Faults {
	list := slices.Clone(f.list)
	slices.SortFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	list = slices.Compact(list)
	if f.dropped > 0 {
		more := list[len(list)-1]
		more.Message = fmt.Sprintf("too many faults: %d more are not listed", f.dropped)
		list = append(list, more)
	}
	return list
}
