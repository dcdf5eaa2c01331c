package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bounds of a duration. Below the lower one, a check or a retry would spin.
const (
	minDuration = time.Millisecond
	maxDuration = 10 * 365 * 24 * time.Hour
)

var seconds = regexp.MustCompile(`^[0-9]{1,12}(?:\.[0-9]{1,9})?$`)

const durationForms = `30, 1.5, "30s" or "1m30s"`

// duration is a time that bounds something and cannot be left away.
var duration = kind[time.Duration]{"duration", func(n *node, c complain) (time.Duration, bool) {
	return readDuration(n, c, "a duration such as "+durationForms)
}}

// bound is a duration, or none, which 0 means as well.
var bound = kind[time.Duration]{"duration, or none", func(n *node, c complain) (time.Duration, bool) {
	if isNone(n) {
		return 0, true
	}
	if value, ok := parseDuration(n); ok && value == 0 {
		return 0, true
	}
	return readDuration(n, c, "a duration such as "+durationForms+", or none")
}}

func readDuration(n *node, c complain, expected string) (time.Duration, bool) {
	value, ok := parseDuration(n)
	switch {
	case !ok:
		mismatch(n, c, expected)
	case value < minDuration:
		c(n.at, "expected %s, at least 1ms, not %s", expected, n.describe())
	case value > maxDuration:
		c(n.at, "expected %s, at most ten years, not %s", expected, n.describe())
	default:
		return value, true
	}
	return 0, false
}

// parseDuration reads seconds, or what time.ParseDuration does.
func parseDuration(n *node) (time.Duration, bool) {
	if n.shape != shapeScalar {
		return 0, false
	}
	if seconds.MatchString(n.text) {
		value, err := strconv.ParseFloat(n.text, 64)
		if err != nil || value > maxDuration.Seconds() {
			return math.MaxInt64, err == nil
		}
		return time.Duration(math.Round(value * float64(time.Second))), true
	}
	value, err := time.ParseDuration(n.text)
	return value, err == nil
}

const (
	kilobyte = 1 << (10 * (iota + 1))
	megabyte
	gigabyte
	terabyte
)

var sizeRule = regexp.MustCompile(`^([0-9]{1,18})(?:([KMGT]?)(?:I?B)?)?$`)

// parseSize reads a size; a number alone counts in units of unit bytes.
func parseSize(n *node, unit int64) (int64, bool) {
	if n.shape != shapeScalar {
		return 0, false
	}
	text := strings.ToUpper(n.text)
	match := sizeRule.FindStringSubmatch(text)
	if match == nil || text == match[1]+"IB" {
		return 0, false
	}
	if text != match[1] {
		unit = map[string]int64{"": 1, "K": kilobyte, "M": megabyte, "G": gigabyte, "T": terabyte}[match[2]]
	}
	value, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil || value > math.MaxInt64/unit {
		return math.MaxInt64, err == nil
	}
	return value * unit, true
}

// logSize is a size in megabytes.
var logSize = kind[int]{"size in megabytes", func(n *node, c complain) (int, bool) {
	const expected = `a size such as 500 (megabytes), "500M" or "1G"`
	value, ok := parseSize(n, megabyte)
	switch {
	case !ok || value == 0:
		mismatch(n, c, expected)
	case value%megabyte != 0:
		c(n.at, "expected %s, in whole megabytes, not %s", expected, n.describe())
	case value > terabyte:
		c(n.at, "expected %s, at most 1T, not %s", expected, n.describe())
	default:
		return int(value / megabyte), true
	}
	return 0, false
}}

// bufferSize is a number of bytes that is kept in memory.
func bufferSize(least, most int64) kind[int] {
	expected := fmt.Sprintf(`a size in bytes such as 65536 or "64K", %d to %d`, least, most)
	return kind[int]{"size in bytes", func(n *node, c complain) (int, bool) {
		value, ok := parseSize(n, 1)
		if !ok || value < least || value > most {
			mismatch(n, c, expected)
			return 0, false
		}
		return int(value), true
	}}
}

// sizeLimit is a number of bytes, or none, which 0 means as well.
var sizeLimit = kind[int64]{"size in bytes, or none", func(n *node, c complain) (int64, bool) {
	if isNone(n) {
		return 0, true
	}
	value, ok := parseSize(n, 1)
	if !ok || value == math.MaxInt64 {
		mismatch(n, c, `a size in bytes such as 65536, "64K" or "1G", or none`)
		return 0, false
	}
	return value, true
}}
