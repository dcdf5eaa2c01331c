// Package flow is streams of bytes of which both ends know what has to come: the
// test app's mode "flow" and the tests of survival are the two ends. A byte that
// is lost, changed, or sent twice makes all that follow others than expected, so
// this is as good as a checksum over every byte, and tells where it happened.
//
// Invariants: a flow is determined by its name, has no end, and does not repeat
// itself. A reader that gets anything else than the beginning of the flow, up to
// where it ends, learns so.
//
// Nothing is shared between two flows of a name; they may be used from any
// goroutines, each from one.
package flow
