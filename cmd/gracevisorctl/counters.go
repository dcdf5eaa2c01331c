package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gracevisor/internal/control"
)

// countersTable is what the proxy has counted: a row for each app and one for
// each of its instances. It is empty where nothing is told, as on D-Bus.
func countersTable(s *control.Status) table {
	var t table
	for i := range s.Apps {
		app := &s.Apps[i]
		if app.Counters == nil {
			continue
		}
		if t == nil {
			t = table{{"COUNTERS", "REQUESTS", "1XX", "2XX", "3XX", "4XX", "5XX", "ERRORS", "RETRIES", "HELD", "IN", "OUT", "P50", "P99"}}
		}
		c := app.Counters
		held := number(c.Held)
		if c.Holding > 0 {
			held += fmt.Sprintf(" (%d now)", c.Holding)
		}
		t.addCounters(app.Name, app.Requests, control.InstanceCounters{
			Status: c.Status, Retries: c.Retries, BytesIn: c.BytesIn, BytesOut: c.BytesOut, Latency: c.Latency,
		}, number(c.Errors), held, c.LatencyBounds)
		for _, instance := range app.Instances {
			if instance.Counters != nil {
				t.addCounters(fmt.Sprintf("%s/%d", app.Name, instance.Number), instance.Requests,
					*instance.Counters, "-", "-", c.LatencyBounds)
			}
		}
	}
	return t
}

// addCounters adds a row. Errors and what was held are told for apps only: such
// a request was at no instance.
func (t *table) addCounters(name string, requests uint64, c control.InstanceCounters, errors, held string, bounds []float64) {
	row := []string{name, number(requests)}
	for _, answers := range c.Status {
		row = append(row, number(answers))
	}
	t.add(append(row, errors, number(c.Retries), held, size(c.BytesIn), size(c.BytesOut),
		quantile(50, c.Latency, bounds), quantile(99, c.Latency, bounds))...)
}

// quantile is the bound below which n percent of the counts of a histogram are,
// or "-" if there are none.
func quantile(n uint64, counts []uint64, bounds []float64) string {
	var all, sum uint64
	for _, count := range counts {
		all += count
	}
	if all == 0 {
		return "-"
	}
	rank := (all*n + 99) / 100 // rounded up, without a loss at large counts
	for i, count := range counts {
		if sum += count; sum >= rank && i < len(bounds) {
			return "≤" + seconds(bounds[i])
		}
	}
	if len(bounds) == 0 {
		return "-"
	}
	return ">" + seconds(bounds[len(bounds)-1])
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond).String()
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// size is a number of bytes in the largest unit that it has one of: "512B",
// "1.5K", "38M".
func size(n uint64) string {
	if n < 1024 {
		return number(n) + "B"
	}
	value, unit := float64(n)/1024, 0
	const units = "KMGTPE"
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	digits := 0
	if value < 9.95 {
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', digits, 64), ".0") + units[unit:unit+1]
}

// The kernel's answers as status shows them: "-" is for what it does not tell.
func memory(i *control.InstanceStatus) string {
	if i.Memory <= 0 {
		return "-"
	}
	return size(uint64(i.Memory))
}

func cpu(i *control.InstanceStatus) string {
	used := time.Duration(i.CPU) * time.Microsecond
	switch {
	case i.CPU <= 0:
		return "-"
	case used < 10*time.Second:
		return fmt.Sprintf("%.2fs", used.Seconds())
	}
	return age(time.Unix(0, 0), time.Unix(0, 0).Add(used))
}
