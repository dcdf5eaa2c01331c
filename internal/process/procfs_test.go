package process

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		text string
		want procStat
		ok   bool
	}{
		{"12 (sh) S 1 10 9 0 -1 4194560", procStat{12, "sh", 'S', 1, 10, 9}, true},
		{"12 (a) R (b) c) Z 1 10 9", procStat{12, "a) R (b) c", 'Z', 1, 10, 9}, true},
		{"12 () X 1 10 9", procStat{12, "", 'X', 1, 10, 9}, true},
		{"12 (new\nline) S 1 10 9", procStat{12, "new\nline", 'S', 1, 10, 9}, true},
		{"12 (sh) S 1 10", procStat{}, false},
		{"12 (sh) S x 10 9", procStat{}, false},
		{"x (sh) S 1 10 9", procStat{}, false},
		{"(sh) S 1 10 9", procStat{}, false},
		{"12 sh S 1 10 9", procStat{}, false},
		{"12 )sh( S 1 10 9", procStat{}, false},
		{"", procStat{}, false},
	}
	for _, test := range tests {
		got, err := parseStat(test.text)
		if (err == nil) != test.ok || got != test.want {
			t.Errorf("%q: got %+v, %v", test.text, got, err)
		}
	}
}

func TestBothListsOfChildrenAgree(t *testing.T) {
	a := shell(t, `sleep 1000 & sleep 1000 & echo up; wait`)
	a.line()
	if !hasChildrenFiles() {
		t.Skip("SKIPPED: the kernel has no children files")
	}
	for _, pid := range []int{a.PID, selfPID} {
		short, err := childrenOf(pid)
		if err != nil {
			t.Fatal(err)
		}
		long, err := childrenByParent(pid)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(short)
		slices.Sort(long)
		if len(short) == 0 || !slices.Equal(short, long) {
			t.Errorf("children of %d: %v and %v", pid, short, long)
		}
	}
	if got := below(a.PID); len(got) != 2 {
		t.Errorf("below %d: %v", a.PID, got)
	}
}

func TestEnvironOfSelf(t *testing.T) {
	text, err := readEnviron(selfPID)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := valueOf(strings.Split(text, "\x00"), "PATH"), os.Getenv("PATH"); got != want {
		t.Errorf("PATH is %q, want %q", got, want)
	}
	if _, err := readEnviron(1 << 30); !vanished(err) {
		t.Errorf("environment of nobody: %v", err)
	}
}
