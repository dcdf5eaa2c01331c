// Package load makes traffic and counts every failure of it. It is the judge
// of the promise that no request is lost, so it hides nothing: no request is
// ever sent twice, nothing is skipped, and an answer that is right in the end
// but wrong in its form is a failure.
//
// That is why net/http is not used here: its Transport tries again what a
// stale connection has swallowed, and reads answers leniently. A client is a
// loop on a net.Conn with a reader of its own that takes only what RFC 9112
// allows a server to send.
//
// # What a failure is
//
//   - no connection, no answer, or none within Options.Patience;
//   - an answer that ends early, is followed by bytes that nobody asked for, is
//     not framed exactly once, or is not the one that was expected byte by byte;
//   - an answer that does not say in X-Pid which process made it;
//   - a connection that is closed, or reset, after the client has written its
//     request; also when it was idle before: the client could not know;
//   - a connection that stays open after "Connection: close" (RFC 9112 §9.6);
//   - a WebSocket or TCP connection that ends before the client ends it, or a
//     TCP connection on which two processes answer.
//
// A connection that is closed after an answer with "Connection: close" is no
// failure, the client then opens another. Neither is one that was closed while
// it was idle and of which the client has learned before it wrote; these are
// counted as IdleClosed, because a client that writes a moment earlier fails.
//
// After a failure the client goes on with a new request on a new connection.
//
// # What the app has to serve
//
// Every answer carries X-Pid. Requests carry an X-Load-Id of their own.
//
//	GET  /blob?size=N            N bytes of Pattern, with Content-Length
//	POST /echo                   the body, after all of it has come
//	GET  /slow?ms=N              "slow N\n", after N milliseconds
//	GET  /stream?chunks=N&ms=M   chunked: lines "seq 1" to "seq N", M ms apart,
//	                             and "sum X", the CRC-32 (IEEE) of them in hex
//	GET  /events?count=N&ms=M    the same as server-sent events: "id: 1",
//	                             "data: event 1", …, and then the end
//	POST /sink                   "N X\n": the body's length and CRC-32
//	GET  /ws                     a WebSocket that echoes
//
// A TCP app answers each line with "PID line", and closes when its client has.
//
// # Concurrency and life cycle
//
// Start starts a goroutine per client, and one that ends the load after
// Options.MaxTime. Stop ends them: each client finishes what it has begun, so
// that a Stop is never the reason of a failure. Traffic goes to loopback
// addresses only.
//
// # Tests
//
// Every kind runs against a correct server without a failure, and every fault
// listed above is made by a server on purpose and must be counted, once.
package load
