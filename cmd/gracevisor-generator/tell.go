package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

const (
	// priority is that of an error of a daemon, as syslog(3) has it.
	priority = 3<<3 | 3
	// longestLine is a little less than what the kernel keeps of a message.
	longestLine = 900
)

// tell writes one line to the kernel's log, else to standard error. What cannot
// be written anywhere is lost: the boot goes on.
func tell(message string) {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err == nil {
		defer kmsg.Close()
	}
	tellTo(kmsg, os.Stderr, message)
}

// tellTo writes to the kernel's log, or to other if that cannot be.
func tellTo(kmsg *os.File, other io.Writer, message string) {
	line := oneLine(message)
	if kmsg != nil {
		// One write is one record.
		_, err := fmt.Fprintf(kmsg, "<%d>gracevisor-generator[%d]: %s\n", priority, os.Getpid(), line)
		if err == nil {
			return
		}
	}
	fmt.Fprintf(other, "gracevisor-generator: %s\n", line)
}

// oneLine makes a message one line of bounded length.
func oneLine(message string) string {
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, message)
	if len(message) > longestLine {
		message = strings.ToValidUTF8(message[:longestLine], "") + "…"
	}
	return message
}
