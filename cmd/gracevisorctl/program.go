package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// A program is one run of gracevisorctl: its flags and where it writes to.
type program struct {
	out, err terminal

	socket    string
	bus       bool
	host      string
	port      int
	tokenFile string
	json      bool
	noWait    bool

	// running is set when the command line has been understood: errors from
	// before are errors of usage.
	running bool
	// began is set when an operation was asked for.
	began bool
	// told is set when the JSON of an operation, with its error, is out.
	told bool
}

// A terminal is a file to write to, and what is known of the terminal that it
// may be.
type terminal struct {
	io.Writer
	// is says that somebody looks at it.
	is bool
	// size tells width and height in characters.
	size func() (width, height int)
}

func newProgram(out, err *os.File) *program {
	return &program{out: newTerminal(out), err: newTerminal(err)}
}

func newTerminal(f *os.File) terminal {
	fd := int(f.Fd())
	return terminal{
		Writer: f,
		is:     term.IsTerminal(fd),
		size: func() (int, int) {
			width, height, err := term.GetSize(fd)
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24
			}
			return width, height
		},
	}
}

// moves says whether the cursor of t can be moved about.
func (t terminal) moves() bool { return t.is && os.Getenv("TERM") != "dumb" }
