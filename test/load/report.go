package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what became of a load.
type Report struct {
	Kinds map[Kind]KindReport
}

// KindReport is what became of the clients of one kind.
type KindReport struct {
	// Requests counts all that were begun; Failures is not more than that but
	// for failures to connect early or to end a connection.
	Requests, Failures int
	// Errors are the texts of the first failures.
	Errors []string
	// LongestPause is the longest time that any client waited for a
	// connection or for the next bytes of an answer.
	LongestPause time.Duration
	// PIDs counts the requests that each process has answered.
	PIDs map[string]int
	// Connections counts those that were established.
	Connections int
	// IdleClosed counts connections that the other side closed, without a
	// Connection: close, before the client wrote again.
	IdleClosed int
}

// Requests is the number of requests of all kinds.
func (r *Report) Requests() int {
	sum := 0
	for _, k := range r.Kinds {
		sum += k.Requests
	}
	return sum
}

// Failures is the number of failures of all kinds.
func (r *Report) Failures() int {
	sum := 0
	for _, k := range r.Kinds {
		sum += k.Failures
	}
	return sum
}

// IdleClosed is the sum over all kinds.
func (r *Report) IdleClosed() int {
	sum := 0
	for _, k := range r.Kinds {
		sum += k.IdleClosed
	}
	return sum
}

// PIDs lists the processes that have answered, sorted as text.
func (r *Report) PIDs() []string {
	all := make(map[string]bool)
	for _, k := range r.Kinds {
		for pid := range k.PIDs {
			all[pid] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// String is a table for people, with the first errors below it.
func (r *Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tREQUESTS\tFAILURES\tCONNECTIONS\tIDLE CLOSED\tLONGEST PAUSE\tPROCESSES")
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		k := r.Kinds[kind]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%v\t%d\n", kind, k.Requests, k.Failures, k.Connections,
			k.IdleClosed, k.LongestPause.Round(time.Millisecond), len(k.PIDs))
	}
	_ = w.Flush() // a strings.Builder takes everything
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		for _, text := range r.Kinds[kind].Errors {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	return b.String()
}
