// Package unavailable ends tests that can not be made on the machine at hand, and
// sees to it that nobody takes them for passed.
//
// There are two reasons. What test/install-deps installs can be had: without it a
// test is skipped on the machine of somebody who works on something else, and
// fails where CI=true. What only a kernel or the right to something can give can
// not: such a test is skipped anywhere.
//
// go test keeps to itself what passing packages print. So each skip is also noted
// in the file that the variable GV_UNTESTED names; the targets of the Makefile
// print that when they are done.
//
// The functions belong to the test's goroutine; several processes may note at a
// time.
package unavailable
