//go:build handoff_next

package handoff

// Version is one that no build for users has: tests have a worker of the last
// version meet one of the next.
const Version = 1 << 10
