// Package websocket is the least of RFC 6455 that an echo needs: the opening
// handshake of a server, and single frames in both directions. The demo app
// and the test tools stand on it; the proxy does not know WebSocket at all, it
// passes bytes.
//
// A frame is read strictly: reserved bits, unknown opcodes, control frames
// that are long or fragmented, a length that is not in its shortest form, and
// a frame that is masked or not masked against the role of its sender are
// errors (RFC 6455 §5.1, §5.2, §5.5). Fragments are not joined: an echo that
// sends back each frame as it came is a correct echo.
//
// Nothing here starts a goroutine, and no function keeps a connection after it
// has returned.
//
// The tests read and write every size class of frame, each fault, and the
// handshake's example from RFC 6455 §1.3.
package websocket
