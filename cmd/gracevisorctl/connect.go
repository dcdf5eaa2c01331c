package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gracevisor/internal/control"
)

// defaultPort is that of rpc.port.
const defaultPort = 9001

// client is of the door that the flags name.
func (p *program) client() (*control.Client, error) {
	if p.host == "" && p.port == 0 {
		if p.tokenFile != "" {
			return nil, &usageError{message: "--token-file is for the RPC address: it needs --host or --port"}
		}
		if p.socket == "" {
			return control.NewUnixClient(control.DefaultSocket()), nil
		}
		return control.NewUnixClient(p.socket), nil
	}
	if p.socket != "" {
		return nil, &usageError{message: "--socket and --host or --port exclude each other"}
	}
	host, port := p.host, p.port
	if host == "" {
		host = "localhost"
	}
	if port == 0 {
		port = defaultPort
	}
	if port < 1 || port > 65535 {
		return nil, &usageError{message: fmt.Sprintf("--port is to be a number from 1 to 65535, not %d", port)}
	}
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	return control.NewTCPClient(host, port, token), nil
}

// token reads the token for the RPC address. The one in the local runtime
// directory is not taken by itself: the host may be another machine, and has no
// business with it.
func (p *program) token() (string, error) {
	path := p.tokenFile
	if path == "" {
		path = os.Getenv("GRACEVISOR_TOKEN_FILE")
	}
	if path == "" {
		return "", &usageError{message: "the RPC address needs a token: give --token-file or GRACEVISOR_TOKEN_FILE"}
	}
	token, err := control.ReadToken(path)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return "", &usageError{message: err.Error()}
	}
	return token, err
}
