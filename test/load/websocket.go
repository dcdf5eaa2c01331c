package load

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"gracevisor/demoapp/websocket"
)

// openWebSocket makes the opening handshake on the connection (RFC 6455 §4.1).
func openWebSocket(c *client) error {
	key := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%016d", c.sequence)[:16])
	err := c.send(c.head("GET", "/ws", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "+key))
	if err != nil {
		return err
	}
	a, err := readAnswer(c.conn.r)
	if err != nil {
		return err
	}
	if err := a.expect(c.conn.r, 101); err != nil {
		return err
	}
	if accept := a.get("sec-websocket-accept"); len(accept) != 1 || accept[0] != websocket.AcceptKey(key) {
		return fmt.Errorf("handshake: Sec-WebSocket-Accept is %q", accept)
	}
	c.conn.pid = a.pid
	return nil
}

// webSocket sends a message and waits for its echo.
func webSocket(c *client) (string, bool, error) {
	if c.conn.pid == "" {
		if err := openWebSocket(c); err != nil {
			return "", false, err
		}
	}
	message := fmt.Appendf(nil, "%s %s", c.id(), Pattern(c.size([]int{0, 100, 5_000, 70_000})))
	if err := c.sendFrame(websocket.OpText, message); err != nil {
		return "", false, err
	}
	f, err := c.readFrame()
	if err != nil {
		return "", false, err
	}
	if f.Op != websocket.OpText || !f.Fin || !bytes.Equal(f.Payload, message) {
		return "", false, fmt.Errorf("echo of pid %s is %.80q instead of %.80q", c.conn.pid, f.Payload, message)
	}
	return c.conn.pid, true, nil
}

// closeWebSocket makes the closing handshake (RFC 6455 §7.1.2).
func closeWebSocket(c *client) error {
	normal := []byte{1000 >> 8, 1000 & 0xff}
	if err := c.sendFrame(websocket.OpClose, normal); err != nil {
		return err
	}
	f, err := c.readFrame()
	if err != nil {
		return err
	}
	if f.Op != websocket.OpClose {
		return errors.New("closing handshake: the answer is no close frame")
	}
	return c.conn.awaitClose()
}

func (c *client) sendFrame(op websocket.Opcode, payload []byte) error {
	f := websocket.Frame{Op: op, Fin: true, Payload: payload}
	mask := [4]byte{byte(c.sequence), byte(c.number), 0x5a, 0xa5}
	return c.send(string(websocket.AppendFrame(nil, f, websocket.FromClient, mask)))
}

func (c *client) readFrame() (websocket.Frame, error) {
	f, err := websocket.ReadFrame(c.conn.r, websocket.FromServer)
	if err != nil {
		return f, fmt.Errorf("websocket of pid %s: %w", c.conn.pid, cut(err))
	}
	return f, nil
}
