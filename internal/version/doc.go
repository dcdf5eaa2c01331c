// Package version names the build that a binary came from.
//
// The build sets the variables:
//
//	go build -ldflags "-X gracevisor/internal/version.Version=1.2.3 -X gracevisor/internal/version.Commit=0123abc"
//
// Nothing writes to them at run time, so any goroutine may read them.
package version
