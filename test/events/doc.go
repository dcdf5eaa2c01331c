// Package events is how the test app tells a test what happens to it: that it
// is up, that a stop signal has reached it, that it is about to exit. A test
// that waits for an event needs neither polling nor sleeping.
//
// An app that the daemon starts inherits nothing but its standard files, so an
// event cannot come through an inherited pipe. It comes as a datagram to a
// Unix socket whose path the app finds in its environment under Env. A
// datagram is whole or not there (unix(7)), several instances may share the
// socket, and it outlives each of them.
//
// Invariants: events are kept in the order in which they came, and none is
// dropped while the Receiver lives; Send in an app without Env in its
// environment does nothing.
//
// Concurrency: a Receiver owns one goroutine, which Close ends; its methods
// may be called from any. Send may be called from any goroutine, too, and
// blocks while the socket's buffer is full.
//
// The tests send over real sockets, from several goroutines, past the
// receiver's end, and bytes that are no event.
package events
