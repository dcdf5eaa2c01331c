// Command testapp is the app that the tests on the real binaries supervise. It
// does everything that an app may do, right or wrong: each flag and each page
// is one way to behave, and the usual case is one without any.
//
// It is written against gracevisor, not with it: where it misbehaves it does
// so as bluntly as it can (os.Exit in the middle of a request, resets, bytes
// that are no HTTP). What it tells about itself is true, though: every answer
// names its process in X-Pid and its instance in X-Instance, /info tells what
// it has inherited, and the events of package events tell when it is up, when
// a stop signal has come, and when it exits.
//
// A later start of the same command can behave in another way, as a new
// version of an app would: the flags in the file of --options-file are read at
// each start.
//
// The pages that package load asks for are in load.go; faults.go holds the
// wrong answers, and `testapp --help` lists the flags.
//
// The tests run it as a process of its own: each kind of load on every way to
// listen without a failure, and each misbehaviour for what it is meant to do.
package main
