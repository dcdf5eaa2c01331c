package websocket

import (
	"bufio"
	"crypto/sha1" // the hash is fixed by RFC 6455 §4.2.2
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
)

// AcceptKey is the value of Sec-WebSocket-Accept that answers a
// Sec-WebSocket-Key (RFC 6455 §4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Accept answers the opening handshake, with the fields of the writer's header
// beside its own, and takes the connection over: the caller closes it. What
// the client sent early is in the reader. On an error the request has been
// answered.
func Accept(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.Reader, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if r.Method != http.MethodGet || key == "" || r.Header.Get("Sec-WebSocket-Version") != "13" ||
		!hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "this is a WebSocket: upgrade to it", http.StatusUpgradeRequired)
		return nil, nil, errors.New("accept websocket: not an opening handshake")
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "cannot upgrade", http.StatusInternalServerError)
		return nil, nil, fmt.Errorf("accept websocket: %w", err)
	}
	var head strings.Builder
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Sec-WebSocket-Accept", AcceptKey(key))
	if err := w.Header().Write(&head); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("accept websocket: %w", err), conn.Close())
	}
	head.WriteString("\r\n")
	if _, err := io.WriteString(conn, head.String()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("accept websocket: %w", err), conn.Close())
	}
	return conn, buffered.Reader, nil
}

// hasToken reports whether a comma-separated field names token.
func hasToken(h http.Header, field, token string) bool {
	return slices.ContainsFunc(h.Values(field), func(value string) bool {
		return slices.ContainsFunc(strings.Split(value, ","), func(t string) bool {
			return strings.EqualFold(strings.TrimSpace(t), token)
		})
	})
}

// Echo sends every message back until the client closes, which it answers in
// kind; that and an end of the stream between frames are no errors. It does
// not close conn.
func Echo(conn io.Writer, r *bufio.Reader) error {
	for {
		f, err := ReadFrame(r, FromClient)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		last := f.Op == OpClose
		switch f.Op {
		case OpPing:
			f.Op = OpPong
		case OpPong:
			continue
		}
		if _, err := conn.Write(AppendFrame(nil, f, FromServer, [4]byte{})); err != nil {
			return fmt.Errorf("send frame: %w", err)
		}
		if last {
			return nil
		}
	}
}
