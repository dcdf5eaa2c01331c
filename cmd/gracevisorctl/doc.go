// Gracevisorctl controls a running gracevisord: it shows what the apps do, and
// starts, restarts, reloads and stops them.
//
//	gracevisorctl [flags] COMMAND [APP...]
//
// It owns nothing but its own exit status and what it prints; all else is done
// by the daemon, which it reaches through a door of package control: the
// control socket, or with --host the TCP door; or, with --bus and where the
// control socket may not be opened, through package bus.
//
// Invariants:
//
//   - Exit status 0: done; 1: the operation failed; 2: usage; 3: the daemon
//     cannot be reached; 4: not permitted; 130: interrupted while waiting (the
//     operation goes on).
//   - Results and progress go to standard output, reasons of failures to
//     standard error. With --json standard output holds one JSON object and
//     nothing else (for logs and monitor: one in each line), failures included.
//   - Text that comes from the daemon cannot control a terminal: what is no
//     printable character is shown escaped.
//   - The token is read from a file, never from the command line.
//
// The JSON of status, sockets, logs, list-jobs and monitor is that of package
// control's types; that
// of start, restart, reload, update, stop, kill and reexec is outcome, that of
// version is versions. An error is {"error": {"code", "message", "details"}},
// in an outcome its field error: its code is one of package control's, or
// "unreachable", "lost", "usage", "interrupted" or "failed". As in the API,
// fields may be added.
//
// There is one goroutine beside main: the ticker of the live progress view,
// which the end of the operation stops.
//
// Tests run the built binary against a fake daemon behind real doors, and look
// at exit statuses and at both outputs.
package main
