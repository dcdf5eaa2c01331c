package config

import (
	"errors"
	"fmt"
	"io"
)

// Check loads the configuration in dir and writes what is wrong with it to w,
// a line for each fault and at the end how many there are, or that it is valid
// and what is doubtful about it. It reports whether it is valid. What cannot be
// written is lost.
func Check(w io.Writer, dir string) bool {
	plan, err := Load(dir)
	return report(w, plan, err)
}

func report(w io.Writer, plan *Plan, err error) bool {
	var faults Faults
	switch {
	case errors.As(err, &faults):
		for _, line := range faults.Lines() {
			fmt.Fprintln(w, line)
		}
		fmt.Fprintf(w, "configuration is not valid: %s\n", count(len(faults), "fault"))
		return false
	case err != nil:
		fmt.Fprintf(w, "configuration cannot be checked: %v\n", err)
		return false
	}
	for _, f := range plan.Warnings {
		f.Message = "warning: " + f.Message
		fmt.Fprintln(w, f.Error())
	}
	fmt.Fprintf(w, "configuration is valid: %s\n", count(len(plan.Apps), "app"))
	return true
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
