// Package activation owns the listening sockets of the external addresses: the
// things that outlive an app, an instance and a worker.
//
// A Listener is a socket that the supervisor holds and never accepts on; the
// workers get its file descriptor and accept. As long as the supervisor holds
// it, no connection is refused, whatever becomes of the workers: the kernel
// queues up to the backlog.
//
// Invariants:
//
//   - The same socket is handed on, always: nothing is closed and bound again,
//     and SO_REUSEPORT is never used, because each socket of such a group has an
//     accept queue of its own, whose connections are reset when it is closed.
//   - Every file descriptor is closed on exec and non-blocking, and stays so:
//     O_NONBLOCK belongs to the open file description, which all holders share.
//   - A host name stands for all of its addresses; localhost for 127.0.0.1 and,
//     where the machine has it, ::1.
//
// Concurrency: the package has no state; a Listener is used by one goroutine at
// a time.
//
// It is tested with real sockets on loopback.
package activation
