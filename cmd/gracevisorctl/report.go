package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gracevisor/internal/control"
)

// report tells an error to people, and with --json to programs, too.
func (p *program) report(err error) {
	if err == nil {
		return
	}
	if p.json && !p.told {
		// Standard error says it, whatever becomes of standard output.
		_ = p.printJSON(struct {
			Error *control.Error `json:"error"`
		}{jsonError(err)})
	}
	var text strings.Builder
	if failed, ok := errors.AsType[*failedError](err); ok {
		failed.outcome.tellFailures(&text)
	} else {
		tellError(&text, err)
	}
	_, _ = p.err.Write([]byte(text.String()))
}

func tellError(text *strings.Builder, err error) {
	fmt.Fprintf(text, "gracevisorctl: %s\n", safeLines(err.Error()))
	if e, ok := errors.AsType[*control.Error](err); ok {
		for _, detail := range e.Details {
			fmt.Fprintf(text, "  %s\n", safe(detail))
		}
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		usage.tellHints(text)
	}
	if _, ok := errors.AsType[*control.UnreachableError](err); ok {
		text.WriteString("is gracevisord running?\n")
	}
}

// jsonError is err as programs get it.
func jsonError(err error) *control.Error {
	_, code := classify(err)
	e := &control.Error{Code: code, Message: err.Error()}
	if answered, ok := errors.AsType[*control.Error](err); ok {
		e.Details = answered.Details
	}
	return e
}

// printJSON prints v as one indented value.
func (p *program) printJSON(v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return p.print(safeJSON(text.String()))
}

// print writes all of a result: a full disk is a failure.
func (p *program) print(text string) error {
	if _, err := p.out.Write([]byte(text)); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}
