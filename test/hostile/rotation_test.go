package hostile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gracevisor/test/harness"
)

// TestAccessLogRotation: the access log goes through the rotation that the app's
// output does, whole line by whole line, and no line of it is lost.
func TestAccessLogRotation(t *testing.T) {
	t.Parallel()
	const kept, requests = 100, 6000
	box, app := serve(t, func(_ *harness.Box, app harness.App) harness.App {
		return app.With("access_log", "json").With("logger.max_log_size", 1).With("logger.max_logs_kept", kept)
	})
	long := strings.Repeat("x", 300)
	c := open(t, app)
	for i := range requests {
		wants(t, c.ask("HEAD", fmt.Sprintf("/?%d-%s", i, long), "", "User-Agent: "+long), 200)
		if t.Failed() {
			return
		}
		// Lines are dropped if who reads them is slow: no more are under way
		// than the worker holds, 256 KiB.
		if i%300 == 299 {
			box.Await("lines to be written", func() bool { return writtenLines(t, box) > i })
		}
	}
	read := func() (files int, seen map[string]bool) {
		paths, err := filepath.Glob(filepath.Join(box.LogDir, "access_demo*"))
		if err != nil {
			t.Fatal(err)
		}
		seen = make(map[string]bool)
		for _, path := range paths {
			readTargets(t, path, seen)
		}
		return len(paths), seen
	}
	files := 0
	box.Await("all lines to be there", func() bool {
		n, seen := read()
		files = n
		return len(seen) == requests
	})
	if files < 3 {
		t.Errorf("%d lines are in %d files", requests, files)
	}
}

// writtenLines counts the lines in all files of the access log.
func writtenLines(t *testing.T, box *harness.Box) (n int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(box.LogDir, "access_demo*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths { // the newest last: what is rotated meanwhile is missing, not there twice
		text, _ := os.ReadFile(path) // or it has just been rotated
		n += bytes.Count(text, []byte{'\n'})
	}
	return n
}

// readTargets notes which requests a log file tells of.
func readTargets(t *testing.T, path string, seen map[string]bool) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		return // it has just been rotated
	}
	defer file.Close()
	size := int64(0)
	for scan := bufio.NewScanner(file); scan.Scan(); size += int64(len(scan.Bytes())) + 1 {
		var line struct{ Target string }
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			continue // the writer is at it; a line that stays cut will be missing
		}
		number, _, _ := strings.Cut(line.Target, "-")
		if seen[number] {
			t.Errorf("%s is told twice", number)
		}
		seen[number] = true
	}
	if size > 1<<20 {
		t.Errorf("%s has grown to %d bytes", filepath.Base(path), size)
	}
}
