package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// limitTo is limit with a greatest value.
func limitTo(most int) kind[int] {
	name := fmt.Sprintf("number, 1 to %d, or none", most)
	return kind[int]{name, func(n *node, c complain) (int, bool) {
		if isNone(n) {
			return 0, true
		}
		return bounded("", "a "+name, 0, most).read(n, c)
	}}
}

// memorySize is a number of bytes that counts in megabytes when it is a number
// alone, or none, which 0 means as well.
var memorySize = kind[int64]{"size in megabytes, or none", func(n *node, c complain) (int64, bool) {
	const expected = `a size such as 500 (megabytes), "500M" or "2G", or none`
	value, ok := parseSize(n, megabyte)
	switch {
	case isNone(n) || ok && value == 0:
		return 0, true
	case !ok || value == math.MaxInt64:
		mismatch(n, c, expected)
	case value < megabyte: // below it nothing could start
		c(n.at, "expected %s, at least 1M, not %s", expected, n.describe())
	default:
		return value, true
	}
	return 0, false
}}

// Bounds of a share of the CPUs, in thousandths of one. The lower one is the
// least that the kernel takes for a period of 100 ms (CPUQuota= of
// systemd.resource-control(5) has it too).
const (
	minCPUShare = 10
	maxCPUShare = 1000 * 1000
)

var shareRule = regexp.MustCompile(`^([0-9]{1,7}(?:\.[0-9]{1,3})?)(%?)$`)

// cpuShare is CPU time in thousandths of a CPU, written as a number of CPUs or as
// percent of one, or none, which 0 means as well.
var cpuShare = kind[int]{"number of CPUs, or percent of one, or none", func(n *node, c complain) (int, bool) {
	const expected = `a number of CPUs such as 1.5, percent of one such as 150%, or none`
	if isNone(n) {
		return 0, true
	}
	var match []string
	if n.shape == shapeScalar {
		match = shareRule.FindStringSubmatch(n.text)
	}
	if match == nil {
		mismatch(n, c, expected)
		return 0, false
	}
	value, err := strconv.ParseFloat(match[1], 64)
	unit := 1000.0
	if match[2] != "" {
		unit = 10
	}
	share := int(math.Round(value * unit))
	switch {
	case err != nil:
		mismatch(n, c, expected)
	case value == 0:
		return 0, true
	case share < minCPUShare || share > maxCPUShare:
		c(n.at, "expected %s, 1%% to 1000 CPUs, not %s", expected, n.describe())
	default:
		return share, true
	}
	return 0, false
}}
