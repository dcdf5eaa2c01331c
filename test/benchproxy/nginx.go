package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"gracevisor/test/bench/rig"
)

// nginxStream is where Debian has the module for TCP mode.
const nginxStream = "/usr/lib/nginx/modules/ngx_stream_module.so"

const nginxConfiguration = `
%[1]s
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr;
events { worker_connections 19000; }
http {
    access_log off;
    client_body_temp_path nginx-body;
    proxy_temp_path nginx-proxy;
    fastcgi_temp_path nginx-fastcgi;
    scgi_temp_path nginx-scgi;
    uwsgi_temp_path nginx-uwsgi;
    keepalive_requests %[2]d;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_max_temp_file_size 0;
%[3]s
%[4]s
}
%[5]s
`

const nginxDoor = `
    upstream %[1]s { server %[2]s; keepalive %[3]d; keepalive_requests %[4]d; }
    server {
        listen 127.0.0.1:%[5]d backlog=4096;
        location / { proxy_pass http://%[1]s; }
    }
`

const nginxStreamDoor = `
stream {
    server { listen 127.0.0.1:%d backlog=4096; proxy_pass %s; }
}
`

// nginxHeaders sets what gracevisor sets.
const nginxHeaders = `
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Request-Id $request_id;
`

func (f *field) startNginx(ctx context.Context, o options) (*contender, error) {
	c := &contender{name: "nginx"}
	binary, err := findProgram("nginx")
	if err != nil {
		return nil, err
	}
	text, err := f.configureNginx(c, o)
	if err != nil {
		return nil, err
	}
	path := f.world.Path("nginx.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("configure nginx: %w", err)
	}
	child, err := f.world.Start("nginx", nil, binary, "-p", f.world.Dir, "-e", "stderr", "-c", path)
	if err != nil {
		return nil, err
	}
	c.pid, err = nginxWorker(ctx, child)
	f.versions = append(f.versions, version(exec.Command(binary, "-v").CombinedOutput()))
	return c, err
}

func (f *field) configureNginx(c *contender, o options) (string, error) {
	wanted := []door{httpToTCP, httpToUnix}
	load, stream, headers := "", "", ""
	if _, err := os.Stat(nginxStream); !errors.Is(err, fs.ErrNotExist) {
		wanted = append(wanted, plainTCP)
		load = "load_module " + nginxStream + ";"
	}
	if err := f.takePorts(c, wanted...); err != nil {
		return "", err
	}
	c.ports[bulkTCP] = c.ports[plainTCP]
	if load != "" {
		stream = fmt.Sprintf(nginxStreamDoor, c.ports[plainTCP], strings.TrimPrefix(f.backend(plainTCP), "tcp:"))
	}
	var servers strings.Builder
	for n, d := range wanted[:2] {
		fmt.Fprintf(&servers, nginxDoor, fmt.Sprintf("backend%d", n), strings.TrimPrefix(f.backend(d), "tcp:"),
			upstreamKept, maxRequests, c.ports[d])
	}
	if o.headers {
		headers = nginxHeaders
	}
	return fmt.Sprintf(nginxConfiguration, load, maxRequests, headers, servers.String(), stream), nil
}

// nginxWorker waits for the worker, the only child of the master.
func nginxWorker(ctx context.Context, master *rig.Child) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		children, err := rig.Children(master.PID())
		if err == nil && len(children) == 1 {
			return children[0], nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for the worker of nginx (%v, %w): %s", err, context.Cause(ctx), master.LastOutput())
		}
	}
}

// findProgram finds a program in the places where servers are, too.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s (Debian: test/install-deps installs it): %w", name, err)
}
