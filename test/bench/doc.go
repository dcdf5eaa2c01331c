// Command bench measures what supervision costs, on the real gracevisord, and
// prints Markdown tables:
//
//   - the time from an app's readiness to the first request that it serves;
//   - the time from a crash to the start of the replacement;
//   - the time to start many instances, and the memory that each costs;
//   - the CPU time of a daemon whose apps are checked each second.
//
// `make bench` builds and runs it; `bench -help` lists the flags. Nothing is
// asserted but that everything works; the aims are printed beside the figures.
//
// # How it measures
//
// The same binary, as `bench app`, is the app: it does next to nothing, and
// notes when it was started, when it began to listen, when it answered its
// first health check and when its first request came, by the clock that all
// processes share (CLOCK_MONOTONIC). Its answers tell these times, and an event
// (package events) tells the first two; so no time is measured by asking again
// and again. "Ready" is the moment from which on the app could serve: it
// listens, or, with a healthcheck, has answered that. "Start" is the first line
// of the app's main.
//
// Memory and CPU time are those of the supervisor and of the worker, as the
// kernel counts them (package rig), not those of the apps.
//
// # Processes
//
// Everything is in one folder below the temporary directory, on ports of its
// own; it and all processes go when the run ends, however it does (package rig).
package main
