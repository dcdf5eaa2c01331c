// Package worker is the process of the data plane put together: the
// conversation with the supervisor on one side, the proxy on the other.
//
// The process gets one file descriptor, its end of the conversation (package
// wire). Everything else comes over it: listeners, tables, orders to probe. It
// opens no file and binds no port; as root it becomes an unprivileged user
// before it says that it is ready, and then gives up the file system (landlock).
//
// Invariants:
//
//   - A table is acknowledged after the proxy goes by it, never before.
//   - Nothing here waits for the supervisor: what is to be said waits in an
//     outbox, and what replaces older news takes its place there.
//   - The end of the conversation means that the supervisor has gone for good:
//     the worker accepts nothing more, finishes what it has and leaves.
//
// Life: Main drops the rights, answers Hello with Ready and takes orders in the
// goroutine that it was called on. After Drain, or the end of the conversation,
// it returns when the last connection has ended.
//
// The process has a session of its own and ignores INT and HUP, so that a
// terminal's signals reach only the supervisor; TERM makes it drain.
//
// Its log goes to standard error as JSON lines, which the supervisor takes into
// the daemon's log.
//
// The package is tested with a real socketpair in the place of the supervisor, as
// a goroutine and as a process, of which the test looks at the rights that it has
// left; what the process serves is tested byte for byte in package proxy.
package worker
