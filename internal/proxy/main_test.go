package proxy

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"gracevisor/internal/wire"
	"gracevisor/test/harness"
)

// TestMain lets the test binary be the proxy process that a benchmark measures
// from outside: GRACEVISOR_BENCH_PROXY holds "MODE,FRONT,BACK", and the end of
// standard input ends it. Package harness builds the binary of the worker.
func TestMain(m *testing.M) {
	if s := os.Getenv("GRACEVISOR_BENCH_PROXY"); s != "" {
		part := strings.Split(s, ",")
		if err := benchProxy(part[0], part[1], part[2]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(harness.Main(m))
}

func benchProxy(mode, front, back string) error {
	l, err := net.Listen("tcp", front)
	if err != nil {
		return err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	l.Close()
	p := New(Options{})
	defer p.Close()
	if err := p.AddFile("main", f); err != nil {
		return err
	}
	network := "tcp"
	if strings.HasPrefix(back, "/") {
		network = "unix"
	}
	err = p.Apply(&wire.Table{Revision: 1, Apps: []wire.App{{
		Name: "demo", Listeners: []string{"main"}, Mode: mode, Disposition: wire.Serving,
		Instances: []wire.Instance{{ID: "demo/1", Role: wire.RoleServing, Network: network, Address: back}},
		Traffic:   defaultTraffic(),
	}}})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
