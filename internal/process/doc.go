// Package process starts, signals and buries the processes of instances.
//
// It owns everything that lies between a resolved command and the exit of the
// last process that came from it: user, groups, environment and limits; the
// pidfd; process groups and orphans; internal ports and whose listening socket
// is whose. It knows nothing of apps, restarts or readiness.
//
// # A launch
//
// An app is started through the launch role of our own binary (LaunchMain), so
// that all preparations happen in a process of their own and nothing of the app
// runs before the supervisor has written down that it exists:
//
//	supervisor                                launcher, later the app
//	    │ fork, setsid ─────────────────────────▶ │  0 /dev/null, 1 stdout, 2 stderr
//	    │                                         │  3 order: a sealed memfd, never argv
//	    │ Go: one byte ─────────────────────▶ 4   │  end of file instead: exits
//	    │                                         │  user, directory, command, signals
//	    │ Launched ◀───────────────── 5: 0x01     │  just before execve
//	    │ Launched ◀──────── 5: end of file       │  after 0x01: it runs;
//	    │                                         │  else: the launcher died
//	    │ Launched ◀── 5: text, end of file       │  why it cannot run
//
// # Invariants
//
//   - An app gets the descriptors 0, 1 and 2, no ignored or blocked signal, the
//     soft file limit that the daemon was started with, and of the daemon's
//     environment PATH, LANG and TZ only.
//   - An exit status is read by one party: that of a Process by its Wait, through
//     the pidfd; that of an orphan by the Reaper, by pid. Nobody waits for "any
//     child", and all children are started through the Reaper.
//   - No signal is sent to a number that may have become another's: see Reaper
//     on its lock and signalNumber on groups.
//   - An instance is gone when its main process is reaped, its group is empty
//     and no stray belongs to it. Then, not before, its port may be used again.
//   - Whose a listening TCP socket is can be told (OwnsListener): a port may be
//     taken by anybody. A Unix socket is its instance's by its place (SocketDir),
//     and is not looked up: the kernel lists only those of our network namespace,
//     while an app may listen from another, or have a container do so.
//   - Orphans come to this process (it is a subreaper, or pid 1). Those whose
//     session, group or environment tells the instance are reached by its
//     signals; the others are listed by Strays. Cgroups reach what this cannot.
//
// # Concurrency
//
// All methods may be called from any goroutine. One lock, the Reaper's, guards
// the life of pids. Wait parks in the runtime poller and costs a goroutine, no
// thread; it must be called for each Process. Run is the only loop; its context
// ends it. No constructor starts a goroutine.
//
// # Life cycle
//
// NewReaper; Adopt what is there already; Run; then for each instance Start, Go,
// Launched, Signal or Kill, Wait, Leftovers. The pidfd is closed when the
// instance is gone.
//
// # Tests
//
// The test binary executes itself as launcher, app and doomed daemon
// (main_test.go, role_test.go). They run as root and as another user; changing
// users and being pid 1 need root. TestNothingLeaks counts descriptors,
// goroutines, zombies and registrations over 300 starts.
package process
