// Package machine boots a real systemd for a test: a whole Debian in namespaces
// of its own, up in about a second, and gone with the test.
//
//	func TestMain(m *testing.M) { os.Exit(machine.Main(m)) }
//
//	func TestBoot(t *testing.T) {
//		t.Parallel()
//		m := machine.Boot(t)
//		m.Run("systemctl", "start", "something.service")
//		m.AwaitActive("something.service")
//	}
//
// # How a machine is made
//
//	test process ───── lifeline (a pipe) ─────▶ keeper
//	    │                                         │ own mount and pid namespace,
//	    │ nsenter: commands                       ▼ own cgroup
//	    │ setns: connections                   systemd-nspawn
//	    └────────────────────────────────────▶    └── systemd, pid 1 of the machine
//
// Its root is an overlay: below lies a root file system that mmdebstrap has made
// once and that is kept in the checkout's .cache, above a tmpfs of its own, which
// is what makes booting fast. The network has nothing but loopback; Dial connects
// into it from outside. Machines share nothing that can be written.
//
// The host needs no systemd. Where its cgroup controllers belong to the first
// version of the cgroup interface, a machine has none: limits cannot be tested
// then, the tree of groups can.
//
// # Nothing is left behind
//
// The keeper is the test binary in another role, with a session of its own. When
// the lifeline ends, because the test has ended or its process has died in
// whatever way, it kills the first process of the pid namespace, with which the
// kernel kills all others; the mounts go with their namespace. Then it removes
// the cgroup, and exits. Should the keeper be killed, the machine dies with it by
// the parent-death signal (prctl(2)), and its empty cgroup is removed by the next
// test process.
//
// # Invariants
//
//   - Nothing sleeps for a guess: states are asked for again and again, and each
//     wait ends after DeadMan with a failure that says what was waited for.
//   - Where machines cannot be made the first test tells the reason, and fails
//     where the variable CI is "true"; the others are skipped.
//   - A failed test prints what the machine's journal and console have.
//
// # Concurrency
//
// The methods of a Machine belong to the test's goroutine, but for Dial, Try and
// those of a Background command, which may be called from any.
//
// # Tests
//
// Those of this package boot machines side by side, reboot one, kill a test
// process and a keeper, and look for what is left.
package machine
