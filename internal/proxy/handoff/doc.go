// Package handoff is the protocol in which a worker that leaves gives its
// clients' connections to the one that stands in for it. It knows messages and
// descriptors, and nothing of what a connection is used for.
//
// The two ends of a SEQPACKET socketpair, which the supervisor has made and of
// which it keeps none, carry one message per datagram:
//
//	old worker                                      new worker
//	    │ Offer (connections + fds) ──────────────────▶ │  parks them
//	    │ ◀───────────────────────────── Answer (refused)│
//	    │ Commit ─────────────────────────────────────▶ │  serves them
//	    │   or Withdraw ──────────────────────────────▶ │  forgets them
//
// # Whose is a connection
//
// The old worker does not touch a connection from before it offers it until that
// is decided, so whoever serves it goes on where it was, and no byte is sent or
// read twice. It is decided by what the old worker says last:
//
//   - Commit, or its death without a further word (end of file): the connections
//     that were not refused are the new one's.
//   - Withdraw: they are the old one's. It says so before it touches them again.
//   - The death of the new worker before Commit: they are the old one's, as
//     nobody else serves them.
//   - Only if the new worker dies after Commit are they lost, as are all others
//     that it has.
//
// Both sides close descriptors of connections that are not theirs without
// shutting anything down, which the other does not notice.
//
// # Versions
//
// The envelope of an Offer never changes: version, number, and for each
// connection how many descriptors and bytes are its own. A worker that does not
// know the version, or the kind of a connection, refuses that connection, which
// stays where it is. What a connection is described with is JSON: fields that
// are not known are left out, so that a field that must not be left out makes a
// new version.
//
// # Limits
//
// A message has at most MaxFiles descriptors (SCM_MAX_FD, unix(7)) and maxMessage
// bytes; Batch says when it is full.
//
// A Conn is read by one goroutine and written by one. The package is tested over
// real socketpairs, with messages that are cut, too long, or of no kind.
package handoff
