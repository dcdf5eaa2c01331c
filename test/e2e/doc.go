// Package e2e holds the tests of the guarantees, on the real binaries: what
// users are promised is tried the way that users would notice if it failed.
// ARCHITECTURE.md says which test stands for which promise.
//
// It owns no code but tests. Each makes a harness.Box (a daemon with folders
// and ports of its own), puts apps of test/testapp in it, traffic of test/load
// on them, and does to them what operators, crashes and clients do.
//
// Rules that all tests keep:
//
//   - The judge is the load: it never sends a request twice, and counts each
//     failure. A test that promises that nothing is lost wants none.
//   - The app is of the worst kind: with --exit-at-once it ends in the middle
//     of everything when it is told to stop, so a request that is still its own
//     then is lost, and counted.
//   - Nothing is asserted about time, and nothing sleeps: a test waits for a
//     state, an event or a count, and a wait that is in vain is a failure.
//   - Only loopback is used, and nothing outlives the test.
//   - They run as root and as other users; what only root can try is said where
//     it is.
//
// # Concurrency
//
// All tests run in parallel, several at a time, because they mostly wait; the
// number of restarts and clients is such that two processors are enough.
//
// # Life cycle
//
// `make e2e` runs all but TestSoak, which GRACEVISOR_SOAK switches on (`make
// soak`): it holds the duration, as 10m. Programs of others (curl, wrk, h2load,
// nginx, Python) are installed by `make deps`; where one is missing its tests
// are skipped, and fail if CI=true. GV_TEST_KEEP=1 keeps the folders.
package e2e
