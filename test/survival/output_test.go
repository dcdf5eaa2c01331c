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
// writes as much as it can: no line comes into the log twice, or before another
// that was written earlier, and none is missing but what a daemon that is killed
// had read and not written, which is one chunk.
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
	random, pids := dice(t), s.pids()
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

// chunk is how much a daemon reads at once, in bytes.
const chunk = 64 << 10

// complete fails the test if the numbers of the app's lines do not rise, or if
// more of them are missing than may get lost in crashes.
func (s *scene) complete(crashes int) {
	s.t.Helper()
	file, err := os.Open(s.output())
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	last, gaps, missing, torn := -1, 0, 0, 0
	for lines.Scan() {
		text := lines.Text()
		if len(text) != lineLength-1 {
			torn++ // a daemon was killed that had the rest of it
			continue
		}
		number, err := strconv.Atoi(text[:digits])
		if err != nil || number <= last {
			s.t.Fatalf("after line %d there is %.60q", last, text)
		}
		if number > last+1 {
			gaps, missing = gaps+1, missing+number-last-1
		}
		last = number
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d of %d lines are missing, at %d places, and %d are torn", missing, last+1, gaps, torn)
	if torn > crashes || gaps > crashes || missing > crashes*(chunk/lineLength+2) {
		s.t.Error("that is more than may get lost")
	}
}
