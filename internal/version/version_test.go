package version

import (
	"runtime"
	"testing"
)

func TestStringTellsTheBuild(t *testing.T) {
	defer func(v, c string) { Version, Commit = v, c }(Version, Commit)
	Version, Commit = "1.2.3", "0123abc"
	want := "1.2.3 (commit 0123abc, " + runtime.Version() + ")"
	if got := String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
