package survival

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"gracevisor/test/load"
)

// table is what all tests have counted.
type table struct {
	mu   sync.Mutex
	rows []row
}

var results table

type row struct {
	event string
	kind  load.Kind
	load.KindReport
}

func (t *table) add(event string, report *load.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(report.Kinds)) {
		t.rows = append(t.rows, row{event, kind, report.Kinds[kind]})
	}
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tTRAFFIC\tREQUESTS\tFAILURES\tLONGEST PAUSE")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\n", r.event, r.kind, r.Requests, r.Failures, r.LongestPause.Round(time.Millisecond))
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
