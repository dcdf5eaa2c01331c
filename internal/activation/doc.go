// Package activation owns what outlives the process: the listening sockets of
// the external addresses, the files that a successor needs, and the words with
// the service manager about all of it. It also has the sockets by which apps tell
// of themselves, which are the same protocol from the other side.
//
//	Listener, Table   listening sockets: passed, kept, or bound by the daemon
//	Keeper, FDStore   files by name, over an exec and over a crash
//	Snapshot          the daemon's state, in one of those files
//	Notifier          sd_notify(3) to the service manager
//	AppNotify         sd_notify(3) from an instance
//
// # Listeners
//
// A Listener is a socket that the supervisor holds and never accepts on; the
// workers get its file descriptor and accept. As long as the supervisor holds
// it, no connection is refused, whatever becomes of the workers: the kernel
// queues up to the backlog.
//
//   - The same socket is handed on, always: nothing is closed and bound again,
//     and SO_REUSEPORT is never used, because each socket of such a group has an
//     accept queue of its own, whose connections are reset when it is closed.
//   - Every file descriptor is closed on exec and non-blocking, and stays so:
//     O_NONBLOCK belongs to the open file description, which all holders share.
//   - A host name stands for all of its addresses; localhost for 127.0.0.1 and,
//     where the machine has it, ::1. That a name is not found says nothing of the
//     listeners that are there: an app claims those that it had by their names,
//     and none is closed that may be of an app whose host is not found.
//   - A socket of the service manager's is never closed, only given back.
//
// # Files that are kept
//
// A Keeper has a duplicate of each file, so that its owner may close his. Over an
// exec it hands them on itself, in a list that a variable points to; over a crash
// the service manager's store does. To the successor both look the same: Inherit
// returns a map by name.
//
//   - The store is told in the order of the calls, in the background. Whoever
//     needs to know that a crash would not lose a file waits for its then.
//   - A descriptor is closed only after the store has let go of it, or got it:
//     its number may be on its way.
//   - Names are not unique in the store; here they are.
//   - Of more files than the store takes, those that matter most are in it, by the
//     rank that the daemon gives their names (shelf.go). Systemd before version
//     254 tells the number only when asked, and drops what is too much silently.
//   - What was promised and is missing takes nothing else along (passed.go).
//
// A Snapshot is a memfd of two slots, each with sequence number, length and
// checksum. The older one is written, its header last; the newest whole one
// counts.
//
// # Notify sockets of apps
//
// An AppNotify hears one instance. The kernel says who sends; what does not come
// from a process of the instance does not count. No file descriptor that is sent
// stays open, and however much is sent, an instance costs no more than a bounded
// number of messages in a second. A barrier is acknowledged when what came before
// it has been dealt with.
//
// # Concurrency
//
// No constructor starts a goroutine.
//
//   - Listener, Snapshot and Notifier are used by one goroutine at a time.
//   - Table and Keeper may be used by any; each has a lock, which is never held
//     over anything that blocks. Table.Open may block while a name is looked up,
//     the others do not.
//   - Keeper.Run alone speaks with the store, which may take seconds while the
//     service manager reloads; its context ends it. Each then is called by it, or
//     by a goroutine of its own where there is no store, and must not wait for the
//     Keeper.
//   - FDStore's methods block.
//   - AppNotify.Run hears until Close, which any goroutine may call.
//
// # Tests
//
// They use real sockets on loopback, and stores and senders of their own. The
// test binary executes itself as a program that files were passed to
// (inherit_test.go), and is executed in its own place (keeper_test.go).
package activation
