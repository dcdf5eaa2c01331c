// Command demoapp is the web app of the first steps: something to supervise,
// to restart and to load while one learns gracevisor. It says who answered
// (version, process id, host), and has a page for each kind of traffic that a
// hitless restart must not cut: slow and streamed answers, bodies that are
// sent back, and WebSocket messages.
//
// It is an ordinary web app: it knows nothing of gracevisor but the port that
// it is told to listen on. On TERM it finishes what it has begun; with
// --exit-at-once it drops everything instead, as careless apps do, and clients
// of the proxy must not notice even that.
package main
