package version

import "runtime"

// What the build was made from; a build without -ldflags has these.
var (
	// Version is the release, as "1.2.3".
	Version = "devel"
	// Commit is the abbreviated hash of the commit.
	Commit = "unknown"
)

// String tells the build in one line: "1.2.3 (commit 0123abc, go1.26.8)".
func String() string {
	return Version + " (commit " + Commit + ", " + runtime.Version() + ")"
}
