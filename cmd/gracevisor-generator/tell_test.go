package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTellTo: a record of the kernel's log is one write of one line.
func TestTellTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg")
	kmsg, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	tellTo(kmsg, &other, "broken\nand <1>more\x1b[1m")
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("<27>gracevisor-generator[%d]: broken and <1>more [1m\n", os.Getpid()); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	kmsg.Close()
	for name, kmsg := range map[string]*os.File{"no kernel log": nil, "one that refuses": kmsg} {
		other.Reset()
		tellTo(kmsg, &other, "broken\nand more")
		if got := other.String(); got != "gracevisor-generator: broken and more\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOneLineIsBounded(t *testing.T) {
	got := oneLine(strings.Repeat("ü", 10_000))
	if len(got) > longestLine+len("…") || !utf8.ValidString(got) || !strings.HasSuffix(got, "ü…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
