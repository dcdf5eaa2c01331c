package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func main() {
	// One argument is for tests of generators, three for their runs
	// (systemd.generator(7)).
	if n := len(os.Args) - 1; n != 1 && n != 3 {
		fmt.Fprintln(os.Stderr, "usage: gracevisor-generator NORMAL-DIR [EARLY-DIR LATE-DIR]")
		os.Exit(2)
	}
	g := generator{
		conf:     "/etc/gracevisor",
		state:    "/var/lib/gracevisor",
		thisBoot: "/run/gracevisor-generator",
		ipv6:     hasIPv6(),
		tell:     tell,
	}
	g.run(os.Args[1])
}

// hasIPv6 reports whether the kernel has IPv6, as the service manager finds out.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return !errors.Is(err, fs.ErrNotExist)
}
