package siege

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"gracevisor/test/load"
)

// rowsEnv names the file that rows are appended to.
const rowsEnv = "GRACEVISOR_SURVIVAL_ROWS"

// Row is a line of the table: what clients of one kind have had of an event.
type Row struct {
	Event        string        `json:"event"`
	Kind         load.Kind     `json:"kind"`
	Requests     int           `json:"requests"`
	Failures     int           `json:"failures"`
	LongestPause time.Duration `json:"longest_pause_ns"`
}

// Table is what was counted.
type Table []Row

var (
	recording sync.Mutex
	recorded  Table
)

// Record adds what was counted to the table of this test process.
func Record(event string, report *load.Report) error {
	var rows Table
	for _, kind := range slices.Sorted(maps.Keys(report.Kinds)) {
		k := report.Kinds[kind]
		rows = append(rows, Row{event, kind, k.Requests, k.Failures, k.LongestPause})
	}
	recording.Lock()
	defer recording.Unlock()
	recorded = append(recorded, rows...)
	return rows.append(os.Getenv(rowsEnv))
}

// Recorded is the table of this test process.
func Recorded() Table {
	recording.Lock()
	defer recording.Unlock()
	return slices.Clone(recorded)
}

// append adds the rows to a file.
func (t Table) append(path string) error {
	if path == "" {
		return nil
	}
	var text []byte
	for _, row := range t {
		line, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("record row: %w", err)
		}
		text = append(append(text, line...), '\n')
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record row: %w", err)
	}
	_, err = file.Write(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("record row: %w", err)
	}
	return nil
}

// ReadTable reads a file of rows. Of an event that was recorded again the last
// record counts.
func ReadTable(path string) (Table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	var all Table
	for line := range strings.Lines(string(text)) {
		var row Row
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return nil, fmt.Errorf("read table: %w", err)
		}
		all = slices.DeleteFunc(all, func(old Row) bool { return old.Event == row.Event && old.Kind == row.Kind })
		all = append(all, row)
	}
	return all, nil
}

// String is the table for people, with a sum below each event.
func (t Table) String() string {
	if len(t) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tTRAFFIC\tREQUESTS\tFAILURES\tLONGEST PAUSE")
	for _, r := range t {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\n", r.Event, r.Kind, r.Requests, r.Failures, r.LongestPause.Round(time.Millisecond))
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// newRequests are the kinds whose pauses are those of an ordinary new request:
// in those of the others is the time that the test app takes by itself.
var newRequests = []load.Kind{load.Get, load.Post, load.PostChunked}

// events are the events of the table, in its order.
func (t Table) events() []string {
	var events []string
	for _, r := range t {
		if !slices.Contains(events, r.Event) {
			events = append(events, r.Event)
		}
	}
	return events
}

// of are the rows of an event.
func (t Table) of(event string) (rows Table) {
	for _, r := range t {
		if r.Event == event {
			rows = append(rows, r)
		}
	}
	return rows
}

// Short is a line of Markdown for each event: the sum of its requests and
// failures, and the longest pause of an ordinary new request, or of a stream if
// there was nothing else.
func (t Table) Short() string {
	var b strings.Builder
	fmt.Fprint(&b, "| event | requests | failures | longest pause |\n|---|---|---|---|\n")
	for _, event := range t.events() {
		var sum Row
		rows := t.of(event)
		ordinary := func(r Row) bool { return slices.Contains(newRequests, r.Kind) }
		for _, r := range rows {
			sum.Requests += r.Requests
			sum.Failures += r.Failures
			if ordinary(r) || !slices.ContainsFunc(rows, ordinary) {
				sum.LongestPause = max(sum.LongestPause, r.LongestPause)
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %v |\n", event, sum.Requests, sum.Failures, sum.LongestPause.Round(time.Millisecond))
	}
	return b.String()
}

// Wide is the whole table in Markdown: a line for each event, and in it for each
// kind the requests, the failures and the longest pause in milliseconds.
func (t Table) Wide() string {
	var kinds []load.Kind
	for _, r := range t {
		if !slices.Contains(kinds, r.Kind) {
			kinds = append(kinds, r.Kind)
		}
	}
	slices.Sort(kinds)
	var b strings.Builder
	fmt.Fprint(&b, "| event |")
	for _, kind := range kinds {
		fmt.Fprintf(&b, " %s |", kind)
	}
	fmt.Fprintf(&b, "\n|---%s|\n", strings.Repeat("|---", len(kinds)))
	for _, event := range t.events() {
		fmt.Fprintf(&b, "| %s |", event)
		for _, kind := range kinds {
			cell := "–"
			for _, r := range t.of(event) {
				if r.Kind == kind {
					cell = fmt.Sprintf("%d, %d, %d", r.Requests, r.Failures, r.LongestPause.Milliseconds())
				}
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
