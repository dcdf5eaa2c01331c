package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"gracevisor/internal/control"
)

// repaintTime is the pause between two pictures, in which time goes on.
const repaintTime = 100 * time.Millisecond

// A liveView keeps one line for each app that the operation is still about, at
// the bottom of a terminal. Lines of apps that have their result stay above.
//
// Its ticker is the only goroutine, and ends with close.
type liveView struct {
	out   terminal
	now   func() time.Time
	begun time.Time
	width int

	mu   sync.Mutex
	rows []*liveRow
	// drawn is the number of lines that the next picture replaces.
	drawn int

	stop, stopped chan struct{}
}

// A liveRow is what is last known of an app.
type liveRow struct {
	app  string
	text string
	// finished is the line that stays, once there is a result.
	finished string
}

func newLiveView(out terminal, apps []string, now func() time.Time) *liveView {
	v := &liveView{
		out: out, now: now, begun: now(), width: widest(apps),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	for _, app := range apps {
		v.row(app).text = "…"
	}
	v.paint()
	// Ended by close.
	go v.tick()
	return v
}

func (v *liveView) tick() {
	defer close(v.stopped)
	ticker := time.NewTicker(repaintTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.mu.Lock()
			v.paint()
			v.mu.Unlock()
		case <-v.stop:
			return
		}
	}
}

func (v *liveView) show(e control.Event) {
	text := wordsOf(e)
	if text == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	row := v.row(e.App)
	row.text = text
	if e.Kind == control.EventResult {
		row.finished = eventLine(v.width, e.App, e.Elapsed, text)
	}
	v.paint()
}

func (v *liveView) close() {
	close(v.stop)
	<-v.stopped
	v.mu.Lock()
	defer v.mu.Unlock()
	v.paint()
}

func (v *liveView) row(app string) *liveRow {
	for _, r := range v.rows {
		if r.app == app {
			return r
		}
	}
	r := &liveRow{app: app}
	v.rows = append(v.rows, r)
	return r
}

// paint replaces the last picture: it writes what has got finished for good,
// and below it a line for each row that has not.
func (v *liveView) paint() {
	columns, lines := v.out.size()
	var picture strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&picture, "\x1b[%dA", v.drawn)
	}
	line := func(text string) {
		picture.WriteString("\r" + text + "\x1b[K\n")
	}
	var open []*liveRow
	for _, r := range v.rows {
		if r.finished != "" {
			line(r.finished)
		} else {
			open = append(open, r)
		}
	}
	v.rows = open
	elapsed := v.now().Sub(v.begun)
	room := max(lines-2, 1)
	for i, r := range open {
		if i == room-1 && len(open) > room {
			line(fmt.Sprintf("… and %d more", len(open)-i))
			break
		}
		line(cut(eventLine(v.width, r.app, elapsed, r.text), columns-1))
	}
	picture.WriteString("\x1b[J")
	v.drawn = min(len(open), room)
	_, _ = v.out.Write([]byte(picture.String()))
}

// cut shortens a line, so that it does not run over into the next one.
func cut(line string, columns int) string {
	runes := []rune(line)
	if len(runes) <= columns || columns < 1 {
		return line
	}
	return string(runes[:columns-1]) + "…"
}
