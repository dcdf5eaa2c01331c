//go:build !handoff_next

package handoff

// Version is that of what a connection is described with. It is raised when a
// reader of the last one would do the wrong thing.
const Version = 1
