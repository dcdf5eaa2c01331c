package control

import "slices"

// maxSignal is the highest signal number of Linux, signal(7).
const maxSignal = 64

// operationRequest is the body of POST /v1/operations.
type operationRequest struct {
	Request
	// Wait is true unless it is said otherwise.
	Wait *bool `json:"wait,omitempty"`
}

func (r operationRequest) waits() bool { return r.Wait == nil || *r.Wait }

// appsOf says how many apps a verb takes.
var appsOf = map[Verb]struct{ needed, allowed bool }{
	VerbStart:   {needed: true, allowed: true},
	VerbRestart: {needed: true, allowed: true},
	VerbStop:    {needed: true, allowed: true},
	VerbKill:    {needed: true, allowed: true},
	VerbReload:  {needed: false, allowed: true},
	VerbUpdate:  {needed: false, allowed: false},
	VerbReexec:  {needed: false, allowed: false},
}

// check tells what is wrong with the request by itself, whatever apps there
// may be.
func (r *Request) check() error {
	apps, known := appsOf[r.Verb]
	switch {
	case !known:
		return badRequest("unknown verb %q", r.Verb)
	case apps.needed && len(r.Apps) == 0:
		return badRequest("%s needs an app at least", r.Verb)
	case !apps.allowed && len(r.Apps) > 0:
		return badRequest("%s takes no apps", r.Verb)
	case slices.Contains(r.Apps, ""):
		return badRequest("the name of an app is empty")
	case r.Signal != 0 && r.Verb != VerbKill:
		return badRequest("%s takes no signal", r.Verb)
	case r.Signal < 0 || r.Signal > maxSignal:
		return badRequest("%d is no signal: signals have the numbers 1 to %d", r.Signal, maxSignal)
	case r.Drained && r.Verb != VerbRestart && r.Verb != VerbReload && r.Verb != VerbUpdate:
		return badRequest("%s replaces no instance whose draining it could wait for", r.Verb)
	case r.Check && r.Verb != VerbReexec:
		return badRequest("%s can not be checked", r.Verb)
	}
	return nil
}

// withoutRepeats drops the second naming of an app, or of an address.
func withoutRepeats(names []string) []string {
	var once []string
	for _, app := range names {
		if !slices.Contains(once, app) {
			once = append(once, app)
		}
	}
	return once
}
