// Command benchproxy compares what gracevisor's worker costs with nginx,
// HAProxy and Go's httputil.ReverseProxy, each of them between the same clients
// and the same backend, on the loopback interface. It prints Markdown tables:
//
//   - CPU time per request, for each number of clients, size of the answers and
//     way to the backend;
//   - latency of a single client;
//   - resident memory per idle client connection.
//
// `make bench-proxy` builds and runs it; `benchproxy -help` lists the flags.
//
// # How it measures
//
//	load (this process) ── TCP ──▶ a proxy ── TCP or Unix socket ──▶ backend
//
// All proxies run at the same time, and take turns: a round of a case measures
// each of them for a moment, and every round begins with another. Whatever else
// the machine is doing, and however fast its clock runs, thus meets all of them
// alike, and the ratios, which are medians of the ratios within a round, are
// worth more than the figures. Nevertheless they are noisy.
//
// A measurement opens the connections, lets every client have answers for a
// while, and only then looks at the clocks: what is measured is the steady
// state, no connection is opened or closed in it. CPU time is that of the
// process that serves (one worker of nginx, the worker of gracevisor), of all
// its threads, system calls included (package rig). The number of requests is
// that of the bytes that came between the two readings, in answers. Then no
// further request is sent, and the outstanding answers are awaited.
//
// A request fails if its connection does, if the answer is not 200 or has
// another length than expected, or if nothing comes for ten seconds. One
// failure ends the run.
//
// # What is compared
//
// Each proxy does what it does by default, with connections to the backend kept
// alive. That is not the same: gracevisor sets X-Forwarded-For, -Proto, -Host
// and X-Request-Id, checks the connection to the backend before each use, and
// can be restarted; with -headers the others set the same headers. nginx has one
// worker, HAProxy one thread; both close no connection after a number of
// requests, and nginx writes no answer to a file. HAProxy moves answers with
// splice(2), through pipes of 1 MiB; in TCP mode only where answers are large,
// as it costs more where they are small. gracevisor and ReverseProxy are Go
// programs with all threads that the runtime likes to have (GOMAXPROCS is the
// number of cores). nginx takes part in TCP mode if its stream module is there.
//
// # Processes
//
// One binary, three roles: this program, and for `benchproxy backend` and
// `benchproxy reverseproxy` what they are called. The backends are apps of the
// gracevisord that is measured, and listen on a second address for the others.
// Everything is in one folder below the temporary directory; it and all
// processes go when the run ends, however it does (package rig).
//
// # Tests
//
// The load is run against servers that answer well, badly and not at all; the
// roles serve real connections. The configurations are tried by running it.
package main
