package main

import (
	"context"
	"errors"
	"io/fs"

	"gracevisor/internal/control"
)

// The exit statuses.
const (
	exitDone         = 0
	exitFailed       = 1
	exitUsage        = 2
	exitUnreachable  = 3
	exitNotPermitted = 4
	// exitInterrupted is what a shell makes of a process that SIGINT ended.
	exitInterrupted = 130
)

// Codes of errors in JSON, beside those of package control.
const (
	codeUnreachable control.Code = "unreachable"
	codeLost        control.Code = "lost"
	codeUsage       control.Code = "usage"
	codeInterrupted control.Code = "interrupted"
	codeFailed      control.Code = "failed"
)

// classify gives an error its exit status and its code.
func classify(err error) (int, control.Code) {
	if err == nil {
		return exitDone, ""
	}
	if _, ok := errors.AsType[*interruptedError](err); ok {
		return exitInterrupted, codeInterrupted
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage, codeUsage
	}
	if _, ok := errors.AsType[*control.UnreachableError](err); ok {
		return exitUnreachable, codeUnreachable
	}
	if _, ok := errors.AsType[*control.LostError](err); ok {
		return exitFailed, codeLost
	}
	if errors.Is(err, fs.ErrPermission) {
		return exitNotPermitted, control.CodeNotPermitted
	}
	e, ok := errors.AsType[*control.Error](err)
	if !ok {
		return exitFailed, codeFailed
	}
	switch e.Code {
	case control.CodeNotPermitted:
		return exitNotPermitted, e.Code
	case control.CodeBadRequest:
		return exitUsage, e.Code
	}
	return exitFailed, e.Code
}

func exitStatus(err error) int {
	status, _ := classify(err)
	return status
}

// interruptedError says that we were told to leave.
type interruptedError struct {
	// began says that there may be an operation that goes on.
	began bool
}

func (e *interruptedError) Error() string {
	if e.began {
		return "interrupted: the operation goes on"
	}
	return "interrupted"
}

// interruption makes an interruptedError of what ctx ended with.
func (p *program) interruption(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return &interruptedError{began: p.began}
	}
	return err
}

// failedError says that an operation did not do what was asked for.
type failedError struct{ outcome *outcome }

func (e *failedError) Error() string { return string(e.outcome.Verb) + " failed" }
