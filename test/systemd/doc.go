// Package systemd tests gracevisor as an administrator gets it: the built
// package, installed with apt in a machine that systemd has booted, and clients
// that come from outside of it.
//
// Each test has a machine of its own (package machine), in which it installs the
// package and its apps, so that tests run in parallel and may break whatever
// they like. The app is the test app of the other tests, the clients are those
// of package load. service_test.go is what all tests share.
//
// The packages are built once per test process: version 1.0.0, and 1.0.1 for
// upgrades. Where the variable GV_TEST_DEBS names a folder that has both, they
// are taken from there.
//
// Invariants: no test sleeps; what is waited for is a state of a unit, of the
// daemon or of the journal. Load goes on while something happens to the service,
// and each failure of a request counts.
//
// They need root, and the tools that test/install-deps installs. Limits of
// cgroups are not tested here, see package machine.
package systemd
