package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n", err)
		os.Exit(1)
	}
}

// What can be built.
var (
	formats       = []string{"deb", "rpm", "tar.gz"}
	architectures = []string{"amd64", "arm64"}
)

func run(args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	out := flags.String("out", "dist", "directory of the packages")
	format := flags.String("format", strings.Join(formats, ","), "formats")
	arch := flags.String("arch", strings.Join(architectures, ","), "architectures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wantedFormats, err := choose("format", *format, formats)
	if err != nil {
		return err
	}
	wantedArchitectures, err := choose("architecture", *arch, architectures)
	if err != nil {
		return err
	}
	version, err := findVersion(".", os.Getenv)
	if err != nil {
		return err
	}
	b, err := newBuilder(".", *out, version)
	if err != nil {
		return err
	}
	defer b.close()
	for _, arch := range wantedArchitectures {
		if err := b.build(arch, wantedFormats); err != nil {
			return fmt.Errorf("build for %s: %w", arch, err)
		}
	}
	return nil
}

// choose splits a list of what is wanted.
func choose(what, list string, known []string) ([]string, error) {
	wanted := strings.Split(list, ",")
	for _, w := range wanted {
		if !slices.Contains(known, w) {
			return nil, fmt.Errorf("unknown %s %q: expected %s", what, w, strings.Join(known, ", "))
		}
	}
	return wanted, nil
}
