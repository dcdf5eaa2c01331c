package main

import (
	"context"
	"runtime"
)

func (f *field) startReverseProxy(_ context.Context, o options) (*contender, error) {
	c := &contender{name: "ReverseProxy"}
	if err := f.takePorts(c, httpToTCP, httpToUnix); err != nil {
		return nil, err
	}
	child, err := f.world.Start("reverseproxy", o.goEnv(), f.self, reverseProxyRole, "-leash", f.world.Leash(),
		c.address(httpToTCP)+"="+f.backend(httpToTCP), c.address(httpToUnix)+"="+f.backend(httpToUnix))
	if err != nil {
		return nil, err
	}
	c.pid = child.PID()
	f.versions = append(f.versions, "httputil.ReverseProxy of "+runtime.Version())
	return c, nil
}
