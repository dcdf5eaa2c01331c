package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	"gracevisor/test/bench/rig"
)

// backendRole is the first argument of the program that all proxies stand in
// front of.
const backendRole = "backend"

// backendMain listens on each NETWORK:ADDRESS of its arguments, and serves
// until its leash is let go.
func backendMain(args []string) error {
	f := flag.NewFlagSet(backendRole, flag.ContinueOnError)
	leash := f.String("leash", "", "exit when this `socket` ends")
	if err := f.Parse(args); err != nil {
		return err
	}
	released, err := rig.HoldLeash(*leash)
	if err != nil {
		return err
	}
	for _, arg := range f.Args() {
		network, address, _ := strings.Cut(arg, ":")
		listener, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		if network == "unix" && !strings.HasPrefix(address, "@") {
			// The proxies may run as other users.
			if err := os.Chmod(address, 0o666); err != nil {
				return err
			}
		}
		go serveBackend(listener) // ends with the process
	}
	<-released
	return nil
}

// serveBackend serves each connection until its peer ends it. It ends with the
// listener.
func serveBackend(listener net.Listener) {
	answers := map[string][]byte{}
	for _, size := range []int{small, large} {
		line, _, _ := bytes.Cut(requestFor(size), []byte("\r\n"))
		answers[string(line)] = answerOf(size)
	}
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "backend:", err)
			continue
		}
		go serveBackendConn(conn, answers) // ends with the connection
	}
}

func answerOf(size int) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\n"+
		"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n", size)
	return append([]byte(head), bytes.Repeat([]byte("x"), size)...)
}

// serveBackendConn answers requests without a body. It costs little, but that
// does not matter: only the proxy is measured.
func serveBackendConn(conn net.Conn, answers map[string][]byte) {
	defer conn.Close()
	buf := make([]byte, 8<<10)
	have := 0
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return // the proxy does not need the connection any more
		}
		have += n
		if !bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) && have < len(buf) {
			continue
		}
		line, _, _ := bytes.Cut(buf[:have], []byte("\r\n"))
		answer := answers[string(line)]
		if answer == nil {
			fmt.Fprintf(os.Stderr, "backend: unexpected request %.100q\n", buf[:have])
			return
		}
		have = 0
		if _, err := conn.Write(answer); err != nil {
			return // the client has gone in the middle of it
		}
	}
}
