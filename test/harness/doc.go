// Package harness runs the real binaries for tests: the daemon with folders
// and ports of its own, the control program, and the test app.
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
//
//	func TestRestart(t *testing.T) {
//		t.Parallel()
//		box := harness.New(t)
//		app := box.App("demo", "--exit-at-once")
//		box.Configure(app)
//		box.Start()
//		box.AwaitServing("demo")
//		box.Must("restart", "demo")
//	}
//
// # What a Box is
//
// A Box is the world of one daemon: a folder below the temporary directory
// (configuration, runtime directory, logs), a block of ports that no other Box
// on the machine has, the socket for the events of its apps, and a guardian.
// Boxes share nothing but the binaries, so tests run in parallel.
//
//	test process ──────────── socketpair ───────────┐
//	    │ gracevisorctl, clients                    │ start, signal ▼  exits ▲
//	    │                                        guardian  (subreaper)
//	    └── events ◀── Unix datagrams ──┐           └── gracevisord
//	                                    │                ├── worker
//	                                    └─────────────── └── apps
//
// # The guardian
//
// Nothing that a test starts may outlive it, and a test can die at any moment
// (a time-out's panic, kill -9). A parent-death signal is not enough: it would
// end the daemon, whose apps are built to survive that. So the daemon is the
// child of a guardian, the test binary in another role, with a session of its
// own. It is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): all that the
// daemon and its apps leave behind becomes its child, in whatever session, and
// is reaped, so that the zombies that a test finds are the daemon's. When its
// socket ends, because the test has ended it or has died, it kills its
// descendants until there are none, through pidfds of processes whose descent
// was checked after the pidfd was opened, removes the folders that it was told
// of, and exits. It touches nothing else.
//
// # Invariants
//
//   - Nothing sleeps: what is waited for is an event, an exit, or a state that
//     is asked for again and again; each wait ends after DeadMan with a failure
//     that says what was waited for.
//   - At its end every Box asks the daemon to stop, and fails the test unless
//     it exits with 0 and leaves no process, no zombie, no file in its runtime
//     and temporary directories, and no report of the race detector.
//   - A Box of a failed test prints the daemon's log, the apps' output, the
//     status and the events. With GV_TEST_KEEP=1 its folder stays.
//
// The binaries are built once per test process, with the race detector if the
// test has it. The test app is built without: it is no part of the product,
// and would be several times as slow.
//
// # Concurrency
//
// The methods of a Box belong to the test's goroutine, as those of testing.T
// do, but for those that say otherwise. The guardian is a single loop.
//
// # Tests
//
// Those of this package let processes misbehave under a guardian (orphans,
// sessions of their own, ignored signals), kill the test process of another,
// and look at ports, processes and what is left. The daemon itself is tested
// elsewhere, with this package.
package harness
