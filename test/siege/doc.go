// Package siege is the load under which the tests of survival make things
// happen, and the table of what was counted. It is shared by the tests on the
// real binaries (package survival) and on a real systemd (package systemd).
//
//	under := siege.Begin(ctx, append(target.Steady(), target.Quiet()))
//	…                              // something happens to the daemon
//	under.Await(ctx, 2)            // each client has been served since
//	report := under.End()
//	siege.Record("kill -9", report)
//
// The clients are those of package load, none of which tries anything twice:
// keep-alive requests with and without bodies, slow and streamed answers,
// server-sent events, uploads, WebSockets, lines over TCP, and idle connections
// that make one request at the end, which come first, so that their coming is
// not in the pauses of the others.
//
// Invariants: every request counts, and every failure; times are told and never
// asserted. A Siege belongs to the goroutine that began it; Record may be called
// from any.
//
// With GRACEVISOR_SURVIVAL=full events happen as often as it takes to be sure.
// With GRACEVISOR_SURVIVAL_ROWS=FILE the rows of the table are appended to a file
// as well, a line of JSON each, so that several test processes make one table:
// `test/survive` does that.
package siege
