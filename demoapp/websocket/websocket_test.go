package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAcceptKey(t *testing.T) {
	// The example of RFC 6455 §1.3.
	if got, want := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("AcceptKey = %q, want %q", got, want)
	}
}

func TestFrameThereAndBack(t *testing.T) {
	for _, sender := range []Sender{FromClient, FromServer} {
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, MaxPayload} {
			want := Frame{Op: OpBinary, Fin: size%2 == 0, Payload: bytes.Repeat([]byte{0xa5}, size)}
			raw := AppendFrame([]byte("x"), want, sender, [4]byte{1, 2, 3, 4})
			got, err := ReadFrame(bufio.NewReader(bytes.NewReader(raw[1:])), sender)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if got.Op != want.Op || got.Fin != want.Fin || !bytes.Equal(got.Payload, want.Payload) {
				t.Errorf("%d bytes: frame changed on its way", size)
			}
		}
	}
}

func TestReadFrameRefuses(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"reserved bit", "\xc1\x80\x00\x00\x00\x00", "reserved"},
		{"unknown opcode", "\x83\x80\x00\x00\x00\x00", "opcode"},
		{"fragmented ping", "\x09\x80\x00\x00\x00\x00", "control"},
		{"long close", "\x88\xfe\x00\x7e", "control"},
		{"unmasked", "\x81\x01x", "mask"},
		{"long form of 125", "\x81\xfe\x00\x7d", "shortest"},
		{"eight bytes for 65535", "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", "shortest"},
		{"too long", "\x81\xff\x00\x00\x00\x00\x00\x10\x00\x01", "bound"},
		{"cut in head", "\x81", "unexpected EOF"},
		{"cut in length", "\x81\xfe\x00", "unexpected EOF"},
		{"cut in mask", "\x81\x81\x00", "unexpected EOF"},
		{"cut in payload", "\x81\x82\x00\x00\x00\x00x", "unexpected EOF"},
	}
	for _, tt := range tests {
		_, err := ReadFrame(bufio.NewReader(strings.NewReader(tt.raw)), FromClient)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if _, err := ReadFrame(bufio.NewReader(strings.NewReader("")), FromClient); !errors.Is(err, io.EOF) {
		t.Errorf("end between frames: error %v, want io.EOF", err)
	}
	if _, err := ReadFrame(bufio.NewReader(strings.NewReader("\x81\x81\x00\x00\x00\x00x")), FromServer); err == nil {
		t.Error("a masked frame of a server was accepted")
	}
}

func echoServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Greeting", "hello")
		conn, reader, err := Accept(w, r)
		if err != nil {
			return
		}
		defer conn.Close()
		if err := Echo(conn, reader); err != nil {
			t.Errorf("echo: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

const opening = "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func TestEcho(t *testing.T) {
	conn, err := net.Dial("tcp", echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mask := [4]byte{9, 8, 7, 6}
	frames := []Frame{
		{OpText, false, []byte("frag")}, {OpPing, true, []byte("?")}, {OpPong, true, nil},
		{OpContinuation, true, []byte("ment")}, {OpClose, true, []byte{3, 232}},
	}
	// The first frame leaves together with the handshake: it must not be lost.
	raw := []byte(opening)
	for _, f := range frames {
		raw = AppendFrame(raw, f, FromClient, mask)
	}
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("X-Greeting") != "hello" ||
		answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake answered with %d %v", answer.StatusCode, answer.Header)
	}
	want := []Frame{frames[0], {OpPong, true, []byte("?")}, frames[3], frames[4]}
	for i, w := range want {
		f, err := ReadFrame(r, FromServer)
		if err != nil {
			t.Fatal(err)
		}
		if f.Op != w.Op || f.Fin != w.Fin || !bytes.Equal(f.Payload, w.Payload) {
			t.Errorf("frame %d: got %v, want %v", i, f, w)
		}
	}
	if _, err := ReadFrame(r, FromServer); !errors.Is(err, io.EOF) {
		t.Errorf("after close: %v, want io.EOF", err)
	}
}

func TestAcceptRefuses(t *testing.T) {
	address := echoServer(t)
	for _, cut := range []string{
		"Upgrade: WebSocket\r\n", ", Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Version: 13",
	} {
		t.Run(cut, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			replacement := ""
			if strings.HasSuffix(cut, "13") {
				replacement = "Version: 8"
			}
			if _, err := io.WriteString(conn, strings.Replace(opening, cut, replacement, 1)); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusUpgradeRequired {
				t.Errorf("answered with %d, want 426", answer.StatusCode)
			}
		})
	}
}
