// Package wire is the protocol between the supervisor and a worker: the only
// thing that the two towers of gracevisor share.
//
// The two ends of a SEQPACKET socketpair carry one message per datagram: a
// byte for its kind, then JSON. Some carry file descriptors beside.
//
//	supervisor                                     worker
//	    │ Hello ───────────────────────────────────▶ │  once, first
//	    │ ◀─────────────────────────────────── Ready │  it can serve
//	    │ Files (+ fds) ───────────────────────────▶ │  listeners, log pipes
//	    │ TableOrder (+ sealed memfd) ─────────────▶ │  routes, all of them
//	    │ ◀───────────────────────────── Ack, Drained│
//	    │ Probe, Unprobe ──────────────────────────▶ │  checks, on order
//	    │ ◀─────────────────────────────── ProbeResult│
//	    │ Ping ────────────────────────────────────▶ │
//	    │ ◀─────────────────────────── Pong, Counters │
//	    │ MoveTo, TakeOver (+ socket) ─────────────▶ │  to, and from another worker
//	    │ Drain ───────────────────────────────────▶ │  leave when you can
//
// Invariants:
//
//   - A Table is complete. The worker serves by the newest one it has got and
//     acknowledges its revision; from then on no request begins on an instance
//     that this table does not name as serving.
//   - Files come before the table that names them. A listener that a table does
//     not name any more is closed by the worker.
//   - A table travels as a sealed memfd, because a SEQPACKET message ends at
//     about 208 KiB (net.core.wmem_default). File descriptors travel in batches
//     of at most MaxFiles (SCM_MAX_FD, unix(7)).
//   - A reader refuses an unknown kind, a body that does not fit, and a number
//     of file descriptors that the kind does not have; what it refuses it
//     closes. The other side is then taken for broken.
//   - What a worker of an older build does not know it is not told: Ready says
//     whether it moves connections.
//   - Neither side blocks on the socket: messages wait in an Outbox, where a
//     newer table or newer counters take the place of unsent older ones.
//   - End of file means that the other process has gone.
//
// Concurrency: a Conn is read by one goroutine and written by one; an Outbox
// may be filled from any.
//
// The package is tested over real socketpairs, with messages of every kind, of
// no kind, too long ones and ones with too many or too few file descriptors.
package wire
