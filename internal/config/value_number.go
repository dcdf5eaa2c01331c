package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// integer matches the only way to write whole numbers: 010 is 8 to some readers
// of YAML and 10 to others.
var integer = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)

// readInteger returns a whole number. Quotes make text of it.
func readInteger(n *node, c complain, expected string) (int64, bool) {
	switch {
	case n.shape == shapeScalar && n.isText() && integer.MatchString(n.text):
		c(n.at, "expected %s, not the text %s: leave the quotes out", expected, n.describe())
		return 0, false
	case n.shape != shapeScalar || n.isText() || !integer.MatchString(n.text):
		mismatch(n, c, expected)
		return 0, false
	}
	value, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil {
		mismatch(n, c, expected)
	}
	return value, err == nil
}

// number is a whole number between two bounds, both included.
func number(least, most int) kind[int] {
	name := fmt.Sprintf("number, %d to %d", least, most)
	if most == math.MaxInt32 {
		name = fmt.Sprintf("number, at least %d", least)
	}
	return bounded(name, "a "+name, least, most)
}

func bounded(name, expected string, least, most int) kind[int] {
	return kind[int]{name, func(n *node, c complain) (int, bool) {
		value, ok := readInteger(n, c, expected)
		if ok && (value < int64(least) || value > int64(most)) {
			mismatch(n, c, expected)
			return 0, false
		}
		return int(value), ok
	}}
}

// port is a TCP port; rpcPort can be 0 as well, which turns the door off.
var (
	port    = bounded("port", "a port, 1 to 65535", 1, 65535)
	rpcPort = bounded("port, or 0", "a port, 1 to 65535, or 0 for none", 0, 65535)
)

// limit is a number whose absence, as none or 0, means that there is no limit.
var limit = kind[int]{"number, or none", func(n *node, c complain) (int, bool) {
	if isNone(n) {
		return 0, true
	}
	return bounded("", "a number, at least 1, or none", 0, math.MaxInt32).read(n, c)
}}

// keep is limit, and takes -1 for none as well.
var keep = kind[int]{"number, or -1", func(n *node, c complain) (int, bool) {
	if isNone(n) {
		return 0, true
	}
	value, ok := bounded("", "a number, at least 1, or -1 for no limit", -1, math.MaxInt32).read(n, c)
	return max(value, 0), ok
}}

func isNone(n *node) bool { return n.shape == shapeScalar && n.text == "none" }

// octal matches a umask as the shell's umask takes it, and as YAML 1.2 writes
// octal numbers.
var octal = regexp.MustCompile(`^(?:0o)?([0-7]{1,4})$`)

// umask is an octal number, with or without quotes and leading zeros.
var umask = kind[int]{"octal number", func(n *node, c complain) (int, bool) {
	const expected = "an octal number, 0 to 0777"
	digits := octal.FindStringSubmatch(n.text)
	if n.shape != shapeScalar || digits == nil {
		mismatch(n, c, expected)
		return 0, false
	}
	value, err := strconv.ParseUint(digits[1], 8, 16)
	if err != nil || value > 0o777 {
		mismatch(n, c, expected)
		return 0, false
	}
	return int(value), true
}}
