package load

import (
	"fmt"
	"strings"
)

// tcp sends a line and waits for its echo, which must come from the process
// that the connection began with.
func tcp(c *client) (string, bool, error) {
	want := c.id() + " " + string(Pattern(c.size([]int{0, 100, 5_000})))
	if err := c.send(want + "\n"); err != nil {
		return "", false, err
	}
	line, err := c.conn.r.ReadString('\n')
	if err != nil {
		return "", false, fmt.Errorf("echo of pid %s, after %.80q: %w", c.conn.pid, line, cut(err))
	}
	pid, echo, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch {
	case echo != want:
		return "", false, fmt.Errorf("echo of pid %s is %.80q instead of %.80q", pid, echo, want)
	case c.conn.pid != "" && c.conn.pid != pid:
		return "", false, fmt.Errorf("pid %s answers on a connection of pid %s", pid, c.conn.pid)
	case c.conn.r.Buffered() > 0:
		return "", false, fmt.Errorf("pid %s sends more than its echo", pid)
	}
	c.conn.pid = pid
	return pid, true, nil
}

// closeTCP ends the client's direction, and expects the app to end its own.
func closeTCP(c *client) error {
	if c.conn.closedWhileIdle() {
		return fmt.Errorf("pid %s has closed before the client", c.conn.pid)
	}
	if err := c.conn.tcp.CloseWrite(); err != nil {
		return plain(err)
	}
	if err := c.conn.awaitClose(); err != nil {
		return fmt.Errorf("pid %s: %w", c.conn.pid, err)
	}
	return nil
}
