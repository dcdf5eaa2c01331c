// Package survival tests that nothing which happens to the daemon costs a
// client a request or an app its process: re-execution, crashes of the
// supervisor and of the workers, another build, damaged state.
//
// Each test is an event under load, which is that of package siege. Every failure
// counts, and what may fail is stated by the test; for all but the death of a
// worker that is nothing. Where connections move from worker to worker there are
// flows besides (package flow): streams at full speed, with slow readers, half
// closed on either side, and WebSockets with many messages under way, of which
// every byte is known. Afterwards there have to be as many descriptors,
// goroutines, memory, processes and files in the store as before.
//
// Points in time are chosen by a seed, which is logged and can be set with
// GRACEVISOR_SURVIVAL_SEED; and system calls, at which strace(1) kills the
// supervisor.
//
// Crashes of the supervisor need a service manager that keeps what it loses:
// harness.Service stands for it here. The tests TestSurvive… of package systemd
// do the same with the real one.
//
// `make test` runs each event a few times; with GRACEVISOR_SURVIVAL=full, as
// `make survival` sets it, they happen as often as it takes to be sure. What was
// counted is printed as one table. Times are in it, and never asserted; how long
// old workers have lived is printed beside.
package survival
