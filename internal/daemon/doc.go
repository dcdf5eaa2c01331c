// Package daemon is the supervisor process put together: the configuration, the
// supervisor, the doors through which it is controlled, the log and the signals.
//
// What it owns: the order in which these begin and end, and the translation
// between packages that do not know each other (the supervisor's seam to
// processes and logs, the doors' view of the supervisor).
//
// Life: Run reads the configuration, takes the runtime directory for itself,
// starts the supervisor and opens the doors. It then obeys signals (signals.go)
// until a TERM, or until the supervisor has ended. At the end the supervisor
// stops everything first, while the doors still answer; then the doors are shut,
// and what is left in the output pipes is written.
//
// Invariants:
//
//   - A configuration is read and checked in the goroutine of whoever asks, one
//     at a time; the supervisor sees only plans that are valid.
//   - What a daemon leaves behind, however it ends, its successor takes over or
//     ends (predecessor.go; salvage.go where nothing but the files, or a list of
//     processes, is left), and does so before it starts anything. A successor that
//     can not do all of it does none (descriptors.go).
//   - That the daemon before has crashed is saved before anything else happens.
//   - What is missing on a machine (rights, a runtime directory for the group, a
//     port) is told in one line each, and the rest works.
//
// Concurrency: Run's goroutine takes the signals; every request of a door has
// one of its own.
//
// The package is tested by the end-to-end tests, with the real binaries.
package daemon
