// Package bus is the door on D-Bus: org.gracevisor1 on the system bus, shaped as
// systemd's own interface is, and the client that goes through it.
//
//	busctl, cockpit ──▶ dbus-daemon ──▶ Service ──▶ control.Operations
//	gracevisorctl --bus ──┘   ▲            │
//	                          └─ polkit ◀──┘
//
// The objects:
//
//	/org/gracevisor1              org.gracevisor1.Manager, ObjectManager
//	/org/gracevisor1/app/ESCAPED  org.gracevisor1.App
//	/org/gracevisor1/job/ID       org.gracevisor1.Job
//
// members.go is the one description of the interfaces: calls are checked and
// dispatched by it, and the introspection data is written from it.
// gracevisor-dbus(5) tells users what the members do.
//
// Invariants:
//
//   - Nothing waits for the bus: the Service has goroutines of its own, hears of
//     what happens through a control.Watch, which is bounded, and asks for
//     everything else when it is asked.
//   - Whoever may talk to the bus may read, but for command lines and
//     environments. A call that changes something is permitted by polkit, or,
//     where that is missing, to root only; it is logged with its caller.
//   - At most maxCalls are served at once, and maxSenderCalls of one client; what
//     is too much is answered as busy. Some places are root's, and of the calls
//     that wait for what a user tells polkit each user has a number.
//   - Signals are sent while at least one client is subscribed, as systemd does;
//     who subscribed is remembered over a re-execution and a crash of the daemon
//     in a file of the runtime directory: maxSubscribers by name, and of others
//     that there were some.
//   - What cannot be sent within writeTimeout ends the connection; a bus that
//     has gone is looked for again and again, and the name taken again.
//
// Concurrency and life cycle: Run keeps a connection until its context ends. The
// connection has a goroutine that reads, one for each call, and that of Run, which
// sends the signals. Flush waits, before an exec and at the end, until what has
// happened is sent and what was asked is answered.
//
// The tests run a dbus-daemon of their own with a fake of the operations; those
// in test/systemd use busctl, polkit and a real system bus.
package bus
