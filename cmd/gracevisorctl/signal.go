package main

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest number of a signal on Linux, signal(7).
const lastSignal = 64

// signalNumber is the number of the signal that text names: HUP, SIGHUP or 1.
func signalNumber(text string) (int, error) {
	if number, err := strconv.Atoi(text); err == nil {
		if number < 1 || number > lastSignal {
			return 0, fmt.Errorf("%d is no signal: signals have the numbers 1 to %d", number, lastSignal)
		}
		return number, nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if number := unix.SignalNum(name); number != 0 {
		return int(number), nil
	}
	return 0, fmt.Errorf("%q is no signal: give a name like HUP, or a number", text)
}
