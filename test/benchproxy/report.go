package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gracevisor/test/bench/rig"
)

// report collects the tables of a run under load.
type report struct {
	options  options
	versions []string
	names    []string
	cpu      rig.Table
	latency  rig.Table
}

func newReport(o options, f *field) *report {
	r := &report{options: o, versions: f.versions}
	r.cpu.Head = []string{"case"}
	for _, c := range f.contenders {
		r.names = append(r.names, c.name)
		r.cpu.Head = append(r.cpu.Head, c.name)
	}
	for _, name := range r.names[1:] {
		r.cpu.Head = append(r.cpu.Head, "/ "+name)
	}
	r.latency.Head = []string{"case"}
	for _, name := range r.names {
		r.latency.Head = append(r.latency.Head, name+" p50", "p99")
	}
	return r
}

// add adds a case. The results are in the order of the contenders, of which the
// first is ours.
func (r *report) add(s scenario, results []samples) {
	row := []string{s.String()}
	for _, result := range results {
		row = append(row, spread(result.perRequest))
	}
	for _, other := range results[1:] {
		row = append(row, ratio(results[0].perRequest, other.perRequest))
	}
	r.cpu.Add(row...)
	if s.clients != 1 {
		return
	}
	row = []string{s.String()}
	for _, result := range results {
		row = append(row, quantile(result.latencies, 0.5), quantile(result.latencies, 0.99))
	}
	r.latency.Add(row...)
}

// none stands where a contender takes no part.
const none = "–"

// spread shows the median of the rounds, and their range.
func spread(rounds []time.Duration) string {
	if len(rounds) == 0 {
		return none
	}
	if len(rounds) == 1 {
		return microseconds(rounds[0])
	}
	return fmt.Sprintf("%s (%s–%s)", microseconds(rig.Median(rounds)),
		microseconds(rig.Quantile(rounds, 0)), microseconds(rig.Quantile(rounds, 1)))
}

func microseconds(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	if us >= 100 {
		return fmt.Sprintf("%.0f", us)
	}
	return fmt.Sprintf("%.1f", us)
}

// ratio shows the median of the ratios of the rounds.
func ratio(ours, theirs []time.Duration) string {
	if len(theirs) == 0 {
		return none
	}
	ratios := make([]float64, len(ours))
	for n := range ours {
		ratios[n] = float64(ours[n]) / float64(theirs[n])
	}
	return fmt.Sprintf("%.2f", rig.Median(ratios))
}

func quantile(latencies []time.Duration, q float64) string {
	if len(latencies) == 0 {
		return none
	}
	return microseconds(rig.Quantile(latencies, q))
}

func (r *report) print(w io.Writer) {
	features := "each with its defaults"
	if r.options.headers {
		features = "nginx and HAProxy set the headers that gracevisor sets"
	}
	if r.options.procs > 0 {
		features += fmt.Sprintf("; GOMAXPROCS=%d", r.options.procs)
	}
	fmt.Fprintf(w, "CPU time of the proxy per request in µs, rounds of %[2]v: median and range of %[1]d; ratios: gracevisor's to the other's, the median of those within a round (%[3]s):\n\n",
		r.options.rounds, r.options.window, features)
	r.cpu.Print(w)
	if len(r.latency.Rows) > 0 {
		fmt.Fprintf(w, "\nLatency of a single client in µs:\n\n")
		r.latency.Print(w)
	}
	fmt.Fprintf(w, "\nMeasured with load, backend and proxies on one machine, which other work may have disturbed: the figures are noisy, the ratios less so. %s. %s.\n",
		r.options.machine, strings.Join(r.versions, "; "))
}
