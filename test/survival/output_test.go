package survival

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestCrashWhileWriting kills the supervisor, and re-executes it, while an app
// writes as much as it can: each line comes into the log once, and in order.
func TestCrashWhileWriting(t *testing.T) {
	rate, total := "5", "20" // megabytes per second, and in all
	if full {
		rate, total = "50", "400"
	}
	s := prepare(t)
	writer := s.App("writer", "--write-rate="+rate, "--write-total="+total).With("logger.max_log_size", 2000)
	s.Configure(s.web, s.line, writer)
	s.service = s.Serve()
	s.begin()
	s.AwaitServing("writer")
	random, pids := dice(t), s.pids()
	report := s.under("kill -9 while an app writes "+rate+" MB/s", s.steady(), func() {
		for range 3 {
			pass(random, 500*time.Millisecond)
			s.service.Crash()
			s.AwaitAnswer()
			pass(random, 500*time.Millisecond)
			s.Must("reexec")
		}
		s.Await("the app to have written all", func() bool { return s.written() >= s.lines(total) })
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.complete()
}

// lineLength is that of a line of the test app's --write-rate, which begins with
// a number of so many digits.
const lineLength, digits = 100, 10

func (s *scene) lines(megabytes string) int {
	s.t.Helper()
	var n int
	if _, err := fmt.Sscan(megabytes, &n); err != nil {
		s.t.Fatal(err)
	}
	return n * 1_000_000 / lineLength
}

func (s *scene) output() string { return filepath.Join(s.LogDir, "app_writer.out") }

func (s *scene) written() int {
	s.t.Helper()
	info, err := os.Stat(s.output())
	if err != nil {
		return 0
	}
	return int(info.Size() / lineLength)
}

// complete fails the test if the lines of the app are not numbered one after the
// other.
func (s *scene) complete() {
	s.t.Helper()
	file, err := os.Open(s.output())
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	last, faults := -1, 0
	for lines.Scan() {
		text := lines.Text()
		number, err := strconv.Atoi(text[:min(len(text), digits)])
		if err != nil || len(text) != lineLength-1 {
			s.t.Errorf("after line %d there is a line of %d bytes: %.60q", last, len(text), text)
			faults++
		} else if last >= 0 && number != last+1 {
			s.t.Errorf("after line %d there is line %d", last, number)
			faults++
		}
		last = number
		if faults > 10 {
			s.t.Fatal("and so on")
		}
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d lines", last)
}
