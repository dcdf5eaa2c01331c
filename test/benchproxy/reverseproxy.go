package main

import (
	"context"
	"flag"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"gracevisor/test/bench/rig"
)

// reverseProxyRole is the first argument of the program that is nothing but
// net/http's reverse proxy.
const reverseProxyRole = "reverseproxy"

// reverseProxyMain serves on each LISTEN=NETWORK:BACKEND of its arguments until
// its leash is let go.
func reverseProxyMain(args []string) error {
	f := flag.NewFlagSet(reverseProxyRole, flag.ContinueOnError)
	leash := f.String("leash", "", "exit when this `socket` ends")
	if err := f.Parse(args); err != nil {
		return err
	}
	released, err := rig.HoldLeash(*leash)
	if err != nil {
		return err
	}
	failed := make(chan error, f.NArg())
	for _, arg := range f.Args() {
		address, backend, _ := strings.Cut(arg, "=")
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		// Ends with the process.
		go func() { failed <- http.Serve(listener, newReverseProxy(backend)) }()
	}
	select {
	case <-released:
		return nil
	case err := <-failed:
		return err
	}
}

// newReverseProxy is the usual one, but that it keeps more than the two idle
// connections of the default, and that it asks for no compression.
func newReverseProxy(backend string) http.Handler {
	network, address, _ := strings.Cut(backend, ":")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.DisableCompression = true
	transport.MaxIdleConns = 0
	transport.MaxIdleConnsPerHost = upstreamKept
	dialer := new(net.Dialer)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "backend.example"})
	proxy.Transport = transport
	return proxy
}
