package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gracevisor/test/bench/rig"
)

func TestReverseProxy(t *testing.T) {
	backends := []string{
		"tcp:" + startBackend(t, "tcp", "127.0.0.1:0"),
		"unix:" + startBackend(t, "unix", filepath.Join(t.TempDir(), "s")),
	}
	for _, backend := range backends {
		server := httptest.NewServer(newReverseProxy(backend))
		defer server.Close()
		for _, size := range []int{small, large} {
			l := smallLoad(server.Listener.Addr().String(), 8)
			l.request, l.size, l.window = requestFor(size), size, 50*time.Millisecond
			if got, err := runLoad(t.Context(), l, nil); err != nil || got.bytes == 0 {
				t.Errorf("%s: %d bytes, %v", backend, got.bytes, err)
			}
		}
	}
}

func TestBackendRefusesOtherRequests(t *testing.T) {
	address := startBackend(t, "tcp", "127.0.0.1:0")
	if resp, err := http.Get("http://" + address + "/other"); err == nil {
		resp.Body.Close()
		t.Errorf("it answers %s", resp.Status)
	}
}

// TestRolesEndWithTheirLeash runs the roles as their processes do.
func TestRolesEndWithTheirLeash(t *testing.T) {
	w, err := rig.OpenBeside(fmt.Sprintf("@%s-%d", t.Name(), os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	port, err := w.TakePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	backend := fmt.Sprintf("127.0.0.1:%d", port+1)
	path := w.Path("backend.sock")
	proxy := contender{name: "proxy", ports: [doors]int{port}}
	ended := make(chan error, 2)
	// Both end with the World. The proxy is asked after the backend is up.
	go func() { ended <- backendMain([]string{"-leash", w.Leash(), "unix:" + path, "tcp:" + backend}) }()
	go func() {
		ended <- reverseProxyMain([]string{"-leash", w.Leash(), proxy.address(httpToTCP) + "=unix:" + path})
	}()
	f := &field{world: w}
	err = errors.Join(awaitPort(t.Context(), backend), f.awaitDoors(t.Context(), &proxy))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a role goes on without its leash")
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestRolesWithoutLeash(t *testing.T) {
	for _, main := range []func([]string) error{backendMain, reverseProxyMain} {
		if err := main([]string{"-leash", filepath.Join(t.TempDir(), "leash")}); err == nil {
			t.Error("it runs without a leash")
		}
	}
}
