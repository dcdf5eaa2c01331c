package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"gracevisor/internal/bus"
	"gracevisor/internal/control"
)

// defaultPort is that of rpc.port.
const defaultPort = 9001

// A daemon is the daemon, through whichever door.
type daemon interface {
	Status(ctx context.Context, apps ...string) (*control.Status, error)
	Sockets(ctx context.Context) ([]control.Socket, error)
	Workers(ctx context.Context) ([]control.Worker, error)
	Version(ctx context.Context) (control.Version, error)
	Begin(ctx context.Context, req control.Request) error
	Do(ctx context.Context, req control.Request, each func(control.Event)) error
	Output(ctx context.Context, app string, n int, follow bool, each func(control.OutputLine)) error
	Jobs(ctx context.Context) ([]control.Job, error)
	CancelJob(ctx context.Context, id uint32) error
	Monitor(ctx context.Context, each func(control.Notice)) error
}

var (
	_ daemon = (*control.Client)(nil)
	_ daemon = (*bus.Client)(nil)
)

// client is of the door that the flags name. One of D-Bus lives as long as ctx.
func (p *program) client(ctx context.Context) (daemon, error) {
	remote := p.host != "" || p.port != 0
	switch {
	case p.bus && (remote || p.socket != ""):
		return nil, &usageError{message: "--bus and --socket, --host or --port exclude each other"}
	case remote && p.socket != "":
		return nil, &usageError{message: "--socket and --host or --port exclude each other"}
	case !remote && p.tokenFile != "":
		return nil, &usageError{message: "--token-file is for the RPC address: it needs --host or --port"}
	case remote:
		return p.remoteClient()
	case p.bus:
		return bus.NewClient(ctx)
	case p.socket != "":
		return control.NewUnixClient(p.socket), nil
	}
	return localClient(ctx), nil
}

// localClient is of the control socket, or of D-Bus for who may not open that
// and may be permitted there what polkit permits.
func localClient(ctx context.Context) daemon {
	socket := control.DefaultSocket()
	if errors.Is(unix.Access(socket, unix.W_OK), unix.EACCES) {
		if client, err := bus.NewClient(ctx); err == nil {
			if client.Offered(ctx) {
				return client
			}
			client.Close()
		}
	}
	return control.NewUnixClient(socket)
}

// remoteClient is of the RPC address.
func (p *program) remoteClient() (daemon, error) {
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
