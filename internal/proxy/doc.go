// Package proxy is the data plane: it takes clients' connections and has their
// requests answered by the instances that the newest table names. It knows
// tables and connections, nothing of processes or configuration.
//
// The life of a request, one file each, on the goroutine of its connection:
//
//	listener      accept, within the limits of gate
//	conn          wait for the first byte, without a buffer
//	readhead      read and screen the head
//	requesthead   write the head for the app, forwarded: what we add
//	body          take a small body along
//	forward       choose an instance; hold: wait for one; retry: once more
//	pool, dial    a connection to it
//	upload        the rest of a body, from a goroutine of its own
//	readanswer    the head of the answer, answerhead: that for the client
//	download      its body
//	tunnel        or bytes both ways, after a 101; relay: without any HTTP
//	finish        what becomes of both connections
//
// Above are proxy, apply, app and instance (tables), drain; below rawconn,
// sockread, sockwrite and syscalls (sockets), transfer and splice (moving bytes),
// sweep (time-outs); beside them probe and check, counters, accesslog and
// logline, failure (answers of our own), faults (what apps do wrong). A worker
// that leaves gives its connections to the next one: stop, mover, describe and
// offer on its side, takeover on the other, package handoff between them.
//
// # Invariants
//
//   - When Apply has returned, no request begins on an instance that its table
//     does not name as serving (see instance), and no idle connection to such a
//     one is used.
//   - Every request is in flight on exactly one instance from before a byte is
//     sent until its answer has been written or given up; so are tunnels.
//   - A request is written twice only if its method is idempotent, and never a
//     third time; otherwise only if not a byte of it was written (RFC 9110
//     §9.2.2).
//   - An answer that is cut never looks complete to the client.
//   - Those who wait for an instance reach it in the order in which they came.
//   - Nothing is accepted any more when the first answer of a drain says close, or
//     the first connection is moved.
//   - From when it is offered until that is settled nobody touches a connection.
//     A tunnel counts in the new worker before it ceases to in the old one.
//   - A callback of RawConn tries its call before it parks (see sock).
//
// # Concurrency
//
// A connection belongs to its goroutine; of an upload or a tunnel, one direction
// each belongs to a second one. Others only wake a socket, which is always
// allowed: who waits looks for a reason and goes on if there is none. Routes are
// immutable, behind an atomic pointer for each app. Proxy.mu serialises Apply
// and what else is rare. No lock is held while waiting.
//
// # Life cycle
//
// New starts the sweeper. AddFile and Apply make the proxy serve, Drain makes it
// leave, Close ends every goroutine and closes every descriptor. MoveTo and
// TakeOver tie it to another worker.
//
// # What is done for speed
//
// Of the CPU time of a small request four fifths are the kernel's, two thirds of
// that in the two sends. So what counts is the number of calls: client read, look
// at the idle connection, send, read, send, and the read that finds no further
// request.
//
//   - Both heads leave in one write with what there is of the body: two sends
//     less, a third of the time.
//   - The read right after sending to the app, which would find nothing, is not
//     made (exchange): 0.4 µs of 14.
//   - RawSyscall for calls that do not block: 55 ns each, and 10 % for bodies of
//     1 MiB, as the scheduler does not take a splice for a call that hangs.
//   - Deadlines are atomic stores that one sweeper looks at: a runtime timer
//     would be locked and moved four times per request.
//   - No allocation per request (TestNoAllocation), as buffers, parsed heads and
//     callbacks are used again; and none for an idle connection but its socket
//     and a stack of 2 or 4 KiB (BenchmarkIdleConnection: 4.6 KB).
//   - Splice from 64 KiB on: 0.5 of the time of copying at 1 MiB. The pipe is
//     kept by no one who waits.
//
// Left out for clarity: running a connection's life in one callback of RawConn,
// which would save the last of the six calls (3 %).
//
// # Tests
//
// Everything runs over real sockets on loopback. Tables hold raw bytes in and out
// at both sides, for each rule what breaks it and its nearest legal neighbour,
// with the section of the RFC; they are tried on a proxy in the test's process
// and on a worker process of the real binary (engine_test.go). Other tests are
// named after what goes wrong: an app that resets, a client that vanishes, a
// hand-over under load, a worker that dies at any step of a move.
package proxy
