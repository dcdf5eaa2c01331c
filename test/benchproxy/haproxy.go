package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"
)

const haproxyGlobal = `
global
    nbthread 1
    maxconn 12000
    no strict-limits
    tune.pipesize 1048576
%s
defaults
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout http-keep-alive 75s
`

// haproxyDoor is a proxy section; its last argument is more options of it.
const haproxyDoor = `
listen %[1]s
    bind 127.0.0.1:%[2]d
    mode %[3]s
%[5]s
    server backend %[4]s
`

// haproxySplice lets the answers be moved by splice(2). `option splice-auto`
// decides by itself, against it.
const haproxySplice = "    option splice-response\n"

// haproxyHeaders sets what gracevisor sets. HAProxy has no cheaper random
// number of its own for an identifier than uuid().
const haproxyHeaders = `    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Request-Id %[uuid()] unless { req.hdr(x-request-id) -m found }
`

// haproxyUser makes HAProxy give up root as its package does, and as the others
// do: root has no bound on pipe memory (pipe(7)).
func haproxyUser() string {
	if os.Geteuid() != 0 {
		return ""
	}
	for _, name := range []string{"haproxy", "nobody"} {
		if _, err := user.Lookup(name); err == nil {
			return "    user " + name
		}
	}
	return ""
}

func (f *field) startHAProxy(_ context.Context, o options) (*contender, error) {
	c := &contender{name: "HAProxy"}
	if err := f.takePorts(c, httpToTCP, httpToUnix, plainTCP, bulkTCP); err != nil {
		return nil, err
	}
	binary, err := findProgram("haproxy")
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, haproxyGlobal, haproxyUser())
	for d := range door(doors) {
		mode, more := "http", haproxySplice
		if d == plainTCP || d == bulkTCP {
			mode = "tcp"
		}
		if d == plainTCP {
			more = ""
		}
		if o.headers && mode == "http" {
			more += haproxyHeaders
		}
		address := strings.TrimPrefix(f.backend(d), "tcp:")
		address = strings.Replace(address, "unix:", "unix@", 1)
		fmt.Fprintf(&text, haproxyDoor, fmt.Sprintf("door%d", d), c.ports[d], mode, address, more)
	}
	path := f.world.Path("haproxy.cfg")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return nil, fmt.Errorf("configure HAProxy: %w", err)
	}
	child, err := f.world.Start("haproxy", nil, binary, "-db", "-f", path)
	if err != nil {
		return nil, err
	}
	c.pid = child.PID()
	f.versions = append(f.versions, version(exec.Command(binary, "-v").Output()))
	return c, nil
}
