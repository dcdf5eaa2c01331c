package survival

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestCrashWhileWriting kills the supervisor, and re-executes it, while an app
// writes as much as it can: no line is missing in the log. What a daemon that is
// killed had just written and not yet taken out of the pipe, which is one chunk at
// most, may be there again.
func TestCrashWhileWriting(t *testing.T) {
	t.Parallel()
	const crashes = 3
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
	random, pids, before := dice(t), s.pids(), s.holds(s.Status().PID)
	report := s.under("kill -9 while an app writes "+rate+" MB/s", s.steady(), func() {
		for range crashes {
			pass(random, 500*time.Millisecond)
			s.service.Crash()
			s.AwaitAnswer()
			pass(random, 500*time.Millisecond)
			s.Must("reexec")
		}
		s.Await("the last line", func() bool { return s.lastLine() == s.lines(total)-1 })
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.complete(crashes)
	s.awaitSettled()
	s.asBefore(before)
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

// lastLine is the number of the last line of the log, or -1.
func (s *scene) lastLine() int {
	file, err := os.Open(s.output())
	if err != nil {
		return -1
	}
	defer file.Close()
	text := make([]byte, lineLength)
	if _, err := file.Seek(-lineLength, io.SeekEnd); err != nil {
		return -1
	}
	if _, err := io.ReadFull(file, text); err != nil {
		return -1
	}
	number, err := strconv.Atoi(string(text[:digits]))
	if err != nil {
		return -1
	}
	return number
}

// chunk is how much a daemon writes at once, in bytes.
const chunk = 64 << 10

// complete fails the test if any of the app's lines is missing, or if more of them
// are there twice than crashes may bring about.
func (s *scene) complete(crashes int) {
	s.t.Helper()
	file, err := os.Open(s.output())
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	last, again, torn := -1, 0, 0
	for lines.Scan() {
		text := lines.Text()
		number, err := strconv.Atoi(text[:min(digits, len(text))])
		switch {
		case len(text) != lineLength-1 || err != nil:
			torn++ // a daemon was killed as it wrote it; it is there again
		case number == last+1:
			last = number
		case number <= last:
			again++
			if last-number > chunk/lineLength+1 {
				s.t.Fatalf("after line %d there is %d", last, number)
			}
		default:
			s.t.Fatalf("after line %d there is %d: %d are missing", last, number, number-last-1)
		}
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("of %d lines %d are there again, and %d are torn", last+1, again, torn)
	if torn > crashes || again > crashes*(chunk/lineLength+1) {
		s.t.Errorf("that is more than %d crashes may bring about", crashes)
	}
}
