package activation

import (
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// passedRole makes the test binary a program that sockets were passed to. Its
// value is what LISTEN_FDS says.
const passedRole = "GV_TEST_PASSED"

// TestPassedFiles passes a listener, a datagram socket and a file, and says more
// or less of them than is true: what is wrong is told, and the rest is used.
func TestPassedFiles(t *testing.T) {
	if os.Getenv(passedRole) != "" {
		takePassedFiles(t)
		return
	}
	for promise, want := range map[string][]string{
		"1":          {"listeners 1", "told 0"},
		"2":          {"listeners 1", "told 1", "use ListenStream="},
		"3":          {"listeners 1", "told 2", "it is not a socket"},
		"4":          {"listeners 1", "told 3", "promises a file that it has not passed", "name=LISTEN_FD_6 fd=6"},
		"2000000000": {"listeners 1", "told 3", "promises files", "first=LISTEN_FD_6 last=LISTEN_FD_2000000002 fd=6 files=1999999997"},
		"-1":         {"listeners 0", "told 1", `\"-1\" is not a number`},
		"all":        {"listeners 0", "told 1", `\"all\" is not a number`},
		"0":          {"listeners 0", "told 0"},
	} {
		got := passTo(t, promise)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("LISTEN_FDS=%s: %q is missing in\n%s", promise, part, got)
			}
		}
	}
}

// TestGapsInWhatIsPassed: what is missing takes nothing else along, and the names
// stay with their files.
func TestGapsInWhatIsPassed(t *testing.T) {
	if os.Getenv(passedRole) != "" {
		takePassedFiles(t)
		return
	}
	first, second := listening(t), listening(t)
	t.Setenv("LISTEN_FDNAMES", "gone:one:gone-too:two")
	got := pass(t, "5", nil, first, nil, second)
	for _, part := range []string{"listeners 2", "told 3", "one " + localName(t, first), "two " + localName(t, second),
		"name=gone fd=3", "name=gone-too fd=5", "name=LISTEN_FD_7 fd=7"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in\n%s", part, got)
		}
	}
}

// listening is a socket to pass.
func listening(t *testing.T) *os.File {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func localName(t *testing.T, socket *os.File) string {
	t.Helper()
	l := &Listener{File: socket}
	if err := l.describe(); err != nil {
		t.Fatal(err)
	}
	return l.Name()
}

// passTo runs the child with three files and a promise, and returns what it says.
func passTo(t *testing.T, promise string) string {
	t.Helper()
	datagram, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	plain, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	second, err := datagram.File()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	return pass(t, promise, listening(t), second, plain)
}

// pass runs this test as a child with files, of which nil are closed, and a
// promise, and returns what it says.
func pass(t *testing.T, promise string, files ...*os.File) string {
	t.Helper()
	// What this process was given is not for the child.
	if err := unix.CloseRange(firstListenFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), passedRole+"="+promise)
	cmd.ExtraFiles = files
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("LISTEN_FDS=%s: %v\n%s", promise, err, out)
	}
	return string(out)
}

func takePassedFiles(t *testing.T) {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	os.Setenv("LISTEN_FDS", os.Getenv(passedRole))
	said := &logText{}
	table, kept := Inherit(slog.New(slog.NewTextHandler(said, nil)))
	t.Logf("listeners %d, told %d\n%s", len(table.Spare()), said.count(), said.text.String())
	if len(kept) > 0 || os.Getenv("LISTEN_FDS") != "" {
		t.Errorf("kept %v, LISTEN_FDS=%q", kept, os.Getenv("LISTEN_FDS"))
	}
	for _, l := range table.Spare() {
		t.Log(l.FDName, l.Name())
		if flagsOf(t, l.File)&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s stays open on exec", l.Name())
		}
	}
	// Go's runtime waits with descriptors of its own, which must be there still.
	r, w := newPipe(t)
	go w.WriteString("x") // ends at once: a pipe holds it
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// TestPassedToAnother: variables that were inherited by mistake are nothing wrong.
func TestPassedToAnother(t *testing.T) {
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getppid()))
	t.Setenv("LISTEN_FDS", "3")
	if n, err := promisedFDs(); n != 0 || err != nil {
		t.Error(n, err)
	}
	t.Setenv("LISTEN_PID", "me")
	if _, err := promisedFDs(); err == nil || !strings.Contains(err.Error(), `"me" is not a process id`) {
		t.Error(err)
	}
}
