package main

import (
	"fmt"
	"time"

	"gracevisor/internal/control"
)

// A view shows an operation while it goes on.
type view interface {
	show(control.Event)
	// close leaves the cursor below what was shown.
	close()
}

// newView picks the view that suits where we write to.
func (p *program) newView(apps []string) view {
	switch {
	case p.json:
		return silentView{}
	case p.out.moves():
		return newLiveView(p.out, apps, time.Now)
	}
	return &plainView{out: p.out, width: widest(apps)}
}

type silentView struct{}

func (silentView) show(control.Event) {}
func (silentView) close()             {}

// A plainView writes a line for each event.
type plainView struct {
	out terminal
	// width is that of the column of names.
	width int
}

func (v *plainView) show(e control.Event) {
	if text := wordsOf(e); text != "" {
		// An operation does not fail because nobody can see it.
		_, _ = fmt.Fprintln(v.out, eventLine(v.width, e.App, e.Elapsed, text))
	}
}

func (*plainView) close() {}

// eventLine is "demo   0.061s  instance 8 started, pid 4711".
func eventLine(width int, app string, elapsed time.Duration, text string) string {
	return fmt.Sprintf("%-*s  %7.3fs  %s", width, safe(label(app)), elapsed.Seconds(), text)
}

// wordsOf tells an event to people; of one of an unknown kind it has none.
func wordsOf(e control.Event) string {
	switch {
	case e.Kind == control.EventStep:
		return safe(e.Message)
	case e.Kind != control.EventResult:
		return ""
	case e.Error != "":
		return safe(string(e.Result) + ": " + e.Error)
	}
	return safe(string(e.Result))
}

// widest is the width of a column for the names of apps.
func widest(apps []string) int {
	width := 4
	for _, app := range apps {
		width = max(width, len(app))
	}
	return width
}
