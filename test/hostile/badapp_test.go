package hostile

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"gracevisor/test/harness"
)

// TestFaultyAnswers: whatever an app answers, the client gets 502 or 504 if there
// was time for it, or else an answer that does not look complete; never the wrong
// bytes. The operator is told, and others are served.
func TestFaultyAnswers(t *testing.T) {
	t.Parallel()
	box, app := serve(t, func(_ *harness.Box, app harness.App) harness.App {
		return app.With("answer_timeout", 1).With("body_timeout", 1)
	})
	type want struct {
		status int
		body   string // as far as it came
		cut    bool
	}
	cases := map[string]want{
		"nothing":        {status: 502},
		"reset":          {status: 502},
		"garbage":        {status: 502},
		"half-status":    {status: 502},
		"half-head":      {status: 502},
		"short":          {200, "only this", true},
		"short-chunked":  {200, "only", true},
		"cut-chunk":      {200, "only this", true},
		"long":           {200, "this", false},
		"two-answers":    {200, "one", false},
		"bad-chunk":      {status: 502},
		"length-coding":  {status: 502},
		"two-lengths":    {status: 502},
		"bare-lf":        {status: 502},
		"version":        {status: 502},
		"status":         {status: 502},
		"unexpected-101": {status: 502},
		"interim-only":   {status: 502},
		"huge-head":      {status: 502},
		"many-fields":    {status: 502},
		"stall":          {status: 504},
		"stall-head":     {status: 504},
		"stall-body":     {200, "only this", true},
	}
	end := others(t, app)
	for kind, want := range cases {
		t.Run(kind, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				c := open(t, app)
				a := c.ask(method, "/fault?kind="+kind, strings.Repeat("x", len(method)-3)) // a body for POST only
				cut := errors.Is(a.fault, io.ErrUnexpectedEOF) || errors.Is(a.fault, syscall.ECONNRESET)
				if a.status != want.status || want.body != "" && a.body != want.body || cut != want.cut {
					t.Errorf("%s: got %v, want %+v", method, a, want)
				}
				if a.status >= 500 && strings.ContainsAny(a.body, ":/") {
					t.Errorf("%s: the answer tells more than it should: %q", method, a.body)
				}
				if !cut && a.fault == nil && !strings.EqualFold(a.header.Get("Connection"), "close") {
					if err := hello(c); err != nil {
						t.Errorf("%s: the next request on the connection: %v", method, err)
					}
				}
			}
		})
	}
	end()
	box.Await("the operator to be told of it", func() bool { return logged(box, "app broke HTTP", "app=demo") })
	awaitNobody(box)
}
