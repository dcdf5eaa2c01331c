package daemon

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"

	"gracevisor/internal/config"
	"gracevisor/internal/control"
)

// group may control the daemon besides root.
const group = "gracevisor"

// doors are where requests come in. They go on without one that can not be
// opened.
type doors struct {
	log    *slog.Logger
	server *control.Server

	mu         sync.Mutex
	runtimeDir string
	rpc        config.RPC
	rpcOpen    []net.Listener
}

func newDoors(log *slog.Logger, ops control.Operations) *doors {
	return &doors{log: log, server: control.NewServer(ops, log)}
}

// openUnix opens the control socket.
func (d *doors) openUnix(runtimeDir string) {
	path := filepath.Join(runtimeDir, control.SocketFile)
	l, err := control.ListenUnix(path, group)
	if err != nil {
		d.log.Error("cannot open control socket", "error", err)
		return
	}
	go d.serve("control socket", func() error { return d.server.ServeUnix(l) }) // ends with shut
	d.log.Info("control socket open", "path", path)
}

// openRPC opens the TCP door, unless its port is 0.
func (d *doors) openRPC(runtimeDir string, rpc config.RPC) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runtimeDir, d.rpc = runtimeDir, rpc
	if rpc.Port == 0 {
		return
	}
	token, err := control.LoadToken(runtimeDir, group)
	if err != nil {
		d.log.Error("cannot open rpc address", "error", err)
		return
	}
	listeners, err := control.ListenTCP(rpc.Host, rpc.Port)
	if err != nil {
		d.log.Error("cannot open rpc address; gracevisorctl works over the control socket", "error", err)
		return
	}
	d.rpcOpen = listeners
	access := control.TCPAccess{Host: rpc.Host, Token: token}
	for _, l := range listeners {
		go d.serve("rpc address", func() error { return d.server.ServeTCP(l, access) }) // ends with shut, or when l is closed
	}
}

func (d *doors) serve(what string, serve func() error) {
	if err := serve(); err != nil {
		d.log.Error("cannot serve door", "door", what, "error", err)
	}
}

// applyPlan moves the TCP door to where a new configuration wants it. One that
// could not be opened is tried again.
func (d *doors) applyPlan(plan *config.Plan) {
	d.mu.Lock()
	moved := plan.RPC != d.rpc || plan.RPC.Port != 0 && len(d.rpcOpen) == 0
	dir := d.runtimeDir
	if moved {
		for _, l := range d.rpcOpen {
			l.Close()
		}
		d.rpcOpen = nil
	}
	d.mu.Unlock()
	if moved {
		d.log.Info("opening rpc address anew", "host", plan.RPC.Host, "port", plan.RPC.Port)
		d.openRPC(dir, plan.RPC)
	}
}

// shut closes the doors and lets those who wait for an answer have it.
func (d *doors) shut(ctx context.Context) {
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Info("cut off clients of the control doors", "error", err)
	}
}
