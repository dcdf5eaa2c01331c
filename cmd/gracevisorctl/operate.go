package main

import (
	"context"
	"fmt"
	"strings"

	"gracevisor/internal/control"
)

// operate asks for an operation, shows it as it goes on, and tells how it
// ended.
func (p *program) operate(ctx context.Context, req control.Request) error {
	client, err := p.client(ctx)
	if err != nil {
		return err
	}
	if p.noWait {
		return p.begin(ctx, client, req)
	}
	o, err := p.watch(ctx, client, req)
	return p.conclude(o, err)
}

// begin asks for an operation that is not waited for.
func (p *program) begin(ctx context.Context, client daemon, req control.Request) error {
	if err := client.Begin(ctx, req); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Verb control.Verb `json:"verb"`
			control.Accepted
		}{req.Verb, control.Accepted{Accepted: true}})
	}
	return p.print(strings.TrimSpace(fmt.Sprintf("%s %s", req.Verb, strings.Join(req.Apps, " "))) + ": begun\n")
}

// watch performs an operation and returns what came of it. The error is one of
// the way to the daemon, or of the daemon's not having begun.
func (p *program) watch(ctx context.Context, client daemon, req control.Request) (*outcome, error) {
	p.began = true
	o := newOutcome(req)
	view := p.newView(req.Apps)
	err := client.Do(ctx, req, func(e control.Event) {
		o.add(e)
		view.show(e)
	})
	view.close()
	return o, p.interruption(ctx, err)
}

// conclude prints the outcome where that is to be JSON, and makes failures
// errors.
func (p *program) conclude(o *outcome, err error) error {
	if err == nil && !o.OK() {
		err = &failedError{outcome: o}
	}
	if p.json {
		p.told = true
		if e := p.printJSON(o.result(err)); e != nil && err == nil {
			return e
		}
	}
	return err
}
