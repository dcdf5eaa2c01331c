// Package control is how gracevisor is controlled: the set of operations that
// the daemon implements (Operations), its doors, and the client that goes
// through them.
//
//	gracevisorctl ── Client ──▶ control.sock  ─┐
//	                                           ├─▶ Server ──▶ Operations (the daemon)
//	browser, curl, Client ────▶ rpc.host:port ─┘
//
// D-Bus is a third door, in package bus. What happens the Feed tells whoever
// watches; telling never waits, and ends the watch of who does not keep up.
//
// Both doors speak the same HTTP/1.1 and JSON. They differ in whom they let in:
//
//   - The Unix door: root, the daemon's own user, and members of the group
//     gracevisor, by the credentials of the connection (SO_PEERCRED, unix(7)).
//   - The TCP door: whoever brings the token of the file rpc.token in the
//     runtime directory, as "Authorization: Bearer TOKEN" or as the password of
//     HTTP Basic. The Host must be the configured one, a loopback name or
//     address, or the address that was connected to, with the door's port (DNS
//     rebinding); requests that a browser makes for another site are refused
//     (Origin, Sec-Fetch-Site). It is not encrypted.
//
// Invariants:
//
//   - Nothing of a request but its header is looked at before it is admitted.
//   - A header has at most 16 KiB and comes within 5 s, a body at most 64 KiB
//     and comes within 10 s. A kind of door has at most 128 connections, 96 of
//     them streams; more wait in the backlog. The kinds take nothing from each
//     other.
//   - An operation goes on when its client leaves. A client that does not read
//     holds up nobody and is let go after a minute.
//   - A stream that ended well is complete. One that was cut off ends in the
//     middle of its chunked coding, so that it cannot be taken for complete.
//   - The token is in no log, no error and no argument list.
//   - Of two daemons on one runtime directory the second fails (LockRuntime); a
//     socket is taken for stale only if nobody answers on it.
//
// Concurrency and life cycle: net/http serves each connection in a goroutine of
// its own, which ends with the connection; Server keeps nothing but the set of
// its doors, behind a mutex. Listening (ListenUnix, ListenTCP) is apart from
// serving (ServeUnix, ServeTCP), so that listeners can come from and go to
// another process. Shutdown closes the doors, lets followers of output go,
// waits for operations that clients wait for, and cuts off the rest.
//
// Tests go over real sockets with a fake of Operations, one client being
// another user's process; those of cmd/gracevisorctl run the real binary.
//
// # The API
//
// Paths, names and meanings below /v1 stay as they are. New fields, codes,
// kinds of events and states may come: clients ignore what they do not know.
// The door, on the other hand, refuses fields and parameters that it does not
// know, so that a mistyped one is not taken for its default. A POST needs
// "Content-Type: application/json".
//
//	GET  /v1/status[?app=NAME]…               Status, of the named apps or of all
//	GET  /v1/sockets, /v1/workers             {"sockets": [Socket, …]}, {"workers": [Worker, …]}
//	GET  /v1/version                          Version
//	GET  /v1/apps/NAME/output[?n=50][&follow=1]  stream of OutputLine
//	POST /v1/operations                       stream of Event
//	GET  /v1/jobs                             {"jobs": [Job, …]}
//	POST /v1/jobs/ID/cancel                   {"canceled": true}; its body is {}
//	GET  /v1/events                           stream of Notice, as it happens
//	GET  /                                    a page for browsers
//
// The types of operations.go, with the names of their JSON tags, are the
// schema. Times are RFC 3339, durations nanoseconds; lists are never null.
// Text that an app wrote is shown as UTF-8, with U+FFFD for what is none.
//
// The body of POST /v1/operations:
//
//	{"verb": "restart",     start, restart, reload, update, stop, kill, reexec
//	 "apps": ["demo"],      which; reload: all if there are none; update, reexec: none
//	 "signal": 15,          kill only: its number; without: 9 (SIGKILL)
//	 "drained": true,       restart, reload, update: wait for old instances to go
//	 "check": true,         reexec: only ask whether the binary on disk could take over
//	 "wait": false}         answer 202 {"accepted": true} at once, no stream
//
// A stream is application/x-ndjson: one JSON value in a line, each sent as it
// comes, and a blank line every five seconds at least. An operation's stream
// has events of the kind "step" and then, for each app, one of the kind
// "result" with the result "done", "unchanged", "failed", "superseded" or
// "canceled"; the status is 200 even if all have failed. The result of a reexec
// comes, on the same connection, from the program that was executed.
//
//	$ curl --unix-socket /run/gracevisor/control.sock http://localhost/v1/operations \
//	    -H 'Content-Type: application/json' -d '{"verb": "restart", "apps": ["demo"]}'
//	{"kind":"step","app":"demo","elapsed_ns":1200000,"message":"instance 8 started, pid 4711","instance":8}
//	{"kind":"result","app":"demo","elapsed_ns":61000000,"result":"done"}
//
// Errors are {"error": {"code": …, "message": …, "details": […]}}, with the
// statuses
//
//	404 no-such-app       422 config-invalid   400 bad-request
//	403 not-permitted     503 stopping, busy   501 unsupported   500 internal
//	404 no-such-job       409 job-canceled
//
// and, with the code bad-request, 404 (no such path), 405, 408, 413 and 415;
// 401 with not-permitted is a wrong token. Only a request that is not HTTP, or
// whose header is too large (431), gets an answer in plain text.
package control
