package main

import (
	"context"
	"fmt"
	"os/exec"

	"gracevisor/internal/control"
)

const gracevisorConfiguration = `
port_range: {from: %[1]d, to: %[2]d}
rpc: {port: 0}
logger: {log_dir: %[3]s}
apps:
    - name: http-tcp
      command: %[4]s tcp:127.0.0.1:{port} %[5]s
      internal_host: 127.0.0.1
      external_host: 127.0.0.1
      external_port: %[8]d
    - name: http-unix
      command: %[4]s unix:{socket} %[6]s
      external_host: 127.0.0.1
      external_port: %[9]d
    - name: tcp
      command: %[4]s tcp:127.0.0.1:{port} %[7]s
      proxy: tcp
      internal_host: 127.0.0.1
      external_host: 127.0.0.1
      external_port: %[10]d
`

// startGracevisor starts the daemon, and with it the backends of all.
func (f *field) startGracevisor(ctx context.Context, o options) (*contender, error) {
	c := &contender{name: "gracevisor"}
	if err := f.takePorts(c, httpToTCP, httpToUnix, plainTCP); err != nil {
		return nil, err
	}
	c.ports[bulkTCP] = c.ports[plainTCP]
	const instances = 8
	internal, err := f.world.TakePorts(instances)
	if err != nil {
		return nil, err
	}
	daemon, err := f.world.StartDaemon(o.gracevisord, c.name, f.configureGracevisor(c, internal, internal+instances-1), o.goEnv()...)
	if err != nil {
		return nil, err
	}
	startCtx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	var status *control.Status
	if status, err = daemon.AwaitServing(startCtx); err != nil {
		return nil, err
	}
	c.pid = status.Workers[0].PID
	f.versions = append(f.versions, version(exec.Command(o.gracevisord, "--version").Output()))
	return c, nil
}

func (f *field) configureGracevisor(c *contender, from, to int) string {
	backend := fmt.Sprintf("%s %s -leash %s", f.self, backendRole, f.world.Leash())
	return fmt.Sprintf(gracevisorConfiguration, from, to, f.world.Path("log"), backend,
		f.backend(httpToTCP), f.backend(httpToUnix), f.backend(plainTCP),
		c.ports[httpToTCP], c.ports[httpToUnix], c.ports[plainTCP])
}
