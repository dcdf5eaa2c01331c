// Package survival tests that nothing which happens to the daemon costs a
// client a request or an app its process: re-execution, crashes of the
// supervisor and of the workers, another build, damaged state.
//
// Each test is an event under load. The load is that of package load, whose
// clients never try anything twice: keep-alive requests with and without
// bodies, slow and streamed answers, uploads, WebSockets, lines over TCP, and
// idle connections that speak only at the end. Every failure counts, and what
// may fail is stated by the test; for all but the death of a worker that is
// nothing. Where connections move from worker to worker there are flows besides
// (package flow): streams at full speed, with slow readers, half closed on either
// side, and WebSockets with many messages under way, of which every byte is
// known. Afterwards the daemon has to hold as many descriptors as before, and
// the same processes have to run.
//
// What was counted is printed as one table when all tests are done. Times are
// in it, and never asserted; how long old workers have lived is printed beside.
//
// Crashes of the supervisor need a service manager that keeps what it loses:
// harness.Service stands for it here. The tests of package systemd do some of
// the same with the real one.
//
// `make test` runs each event a few times; with GRACEVISOR_SURVIVAL=full, as
// `make survival` sets it, they happen as often as it takes to be sure. Points in
// time are chosen by a seed, which is logged and can be set with
// GRACEVISOR_SURVIVAL_SEED.
package survival
