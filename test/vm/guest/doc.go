// Package guest has the tests that run inside the virtual machine of package vm,
// as root, on the systemd that has booted it. They come one after the other and
// share the machine: TestMain installs the package, each test has apps of its own.
//
// Invariants: nothing is waited for by the clock; limits are looked for where the
// kernel keeps them, and in what it does when they are exceeded.
package guest
