package process

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExpand(t *testing.T) {
	tests := []struct {
		name   string
		words  []string
		port   int
		socket string
		want   []string
	}{
		{"nothing to replace", []string{"a", "b"}, 1, "/s", []string{"a", "b"}},
		{"port", []string{"app", "--port={port}"}, 8080, "", []string{"app", "--port=8080"}},
		{"port twice in a word", []string{"{port}:{port}"}, 7, "", []string{"7:7"}},
		{"socket", []string{"--bind=unix:{socket}"}, 0, "/run/a b", []string{"--bind=unix:/run/a b"}},
		{"no port", []string{"{port}"}, 0, "/s", []string{"{port}"}},
		{"no socket", []string{"{socket}"}, 1, "", []string{"{socket}"}},
		{"what is put in is not looked through", []string{"{socket}"}, 1, "/{port}", []string{"/{port}"}},
		{"other braces", []string{"{Port}", "{ port }", "{port", "{{port}}"}, 1, "", []string{"{Port}", "{ port }", "{port", "{1}"}},
		{"no words", nil, 1, "", []string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.words)
			if got := Expand(test.words, test.port, test.socket); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(test.words, before) {
				t.Errorf("the argument was changed to %q", test.words)
			}
		})
	}
}

func TestStartRefusesSpec(t *testing.T) {
	good := Spec{Name: "demo/1", Argv: []string{"/bin/true"}}
	tests := []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"no name", func(s *Spec) { s.Name = "" }, "no name"},
		{"no command", func(s *Spec) { s.Argv = nil }, "command is empty"},
		{"empty command", func(s *Spec) { s.Argv = []string{"", "x"} }, "command is empty"},
		{"umask too large", func(s *Spec) { s.Umask = 0o1000 }, "umask 01000"},
		{"umask negative", func(s *Spec) { s.Umask = -1 }, "umask"},
		{"environment without =", func(s *Spec) { s.Env = []string{"SECRET"} }, "not NAME=value"},
		{"environment without name", func(s *Spec) { s.Env = []string{"=x"} }, "not NAME=value"},
		{"NUL in command", func(s *Spec) { s.Argv = []string{"a", "b\x00c"} }, "NUL"},
		{"NUL in environment", func(s *Spec) { s.Env = []string{"A=\x00"} }, "NUL"},
		{"NUL in directory", func(s *Spec) { s.Dir = "/\x00" }, "NUL"},
		{"too long", func(s *Spec) { s.Env = []string{"A=" + strings.Repeat("x", maxWords)} }, "too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := good
			test.change(&spec)
			p, err := reaper.Start(spec)
			if err == nil {
				_ = p.Kill()
				p.Wait()
				t.Fatal("it was started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want something about %q", err, test.want)
			}
			if strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%q tells what was in the environment", err)
			}
		})
	}
}

func TestOrderArrivesUnchanged(t *testing.T) {
	spec := &Spec{
		Name: "demo/7", User: "nobody", Umask: 0o027, Dir: "/d\xff",
		Argv: []string{"app", "", "latin1 \xe4", "\u2028 \"'\\\n"},
		Env:  []string{"A=\xff\xfe", "B="},
	}
	f, err := writeOrder(newOrder(spec))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if !isOrder(fd) {
		t.Error("it is not taken for an order")
	}
	got, err := readOrder(fd)
	if err != nil {
		t.Fatal(err)
	}
	if want := newOrder(spec); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it can still be written to")
	}
}

func TestOnlySealedFilesAreOrders(t *testing.T) {
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if isOrder(fd) {
		t.Error("a memfd that others may change is taken for an order")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isOrder(int(null.Fd())) {
		t.Error("/dev/null is taken for an order")
	}
}

func TestSearchPath(t *testing.T) {
	tests := []struct {
		own  string
		uid  int
		want string
	}{
		{"/a:/b", 0, "/a:/b"},
		{"/a:/b", 1000, "/a:/b"},
		{"", 0, rootPath},
		{"", 1000, userPath},
		{"bin::.:/a", 1000, "/a"},
		{".:bin", 0, rootPath},
	}
	for _, test := range tests {
		if got := searchPath(test.own, test.uid); got != test.want {
			t.Errorf("PATH %q, uid %d: got %q, want %q", test.own, test.uid, got, test.want)
		}
	}
}

func TestLastOfEqualNamesWins(t *testing.T) {
	got := lastOfEach([]string{"A=1", "B=2", "A=3", "AB=4", "B=", "A=5=6"})
	if want := []string{"A=5=6", "B=", "AB=4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
