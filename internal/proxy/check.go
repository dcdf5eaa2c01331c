package proxy

import (
	"errors"
	"fmt"

	"gracevisor/internal/proxy/http1"
)

// checkTarget connects to an address, over the path that requests take, and asks
// there if the probe has something to ask.
func (pr *probe) checkTarget(t *probeTarget, by int64) finding {
	f := finding{target: t.Target}
	u, err := pr.proxy.sweep.dial(&t.address, by, &pr.cancel, pr.sock.Store)
	if err != nil {
		pr.sock.Store(nil)
		f.reason = reasonOf(err)
		return f
	}
	defer u.close()
	defer pr.sock.Store(nil)
	if pr.request == nil {
		f.ok = true
		return f
	}
	u.readCancel, u.writeCancel = &pr.cancel, &pr.cancel
	x := takeExchange()
	defer putExchange(x)
	u.readBy.Store(by)
	u.writeBy.Store(by)
	status, err := u.ask(x, pr.request)
	f.answered = x.up.w > 0
	switch {
	case err != nil:
		f.reason = reasonOf(err)
	case status != 200:
		f.reason = fmt.Sprintf("answered with status %d", status)
	default:
		f.ok = true
	}
	return f
}

// ask sends a request and returns the status of the final answer.
func (u *upstream) ask(x *exchange, request []byte) (status int, err error) {
	x.up.r, x.up.w = 0, 0
	_, n, err := u.exchange(request, x.up.b)
	x.up.w = n
	for {
		if err == nil && n == 0 {
			err = errNoAnswer
		}
		if err != nil {
			return 0, err
		}
		for {
			n, err := x.resp.Parse(x.up.unread(), probeLimits, false)
			if err != nil {
				return 0, err
			}
			if n == 0 {
				break
			}
			x.up.r += n
			if x.resp.Status >= 200 {
				u.finishAnswer(x)
				return x.resp.Status, nil
			}
		}
		if x.up.w == len(x.up.b) {
			return 0, errAnswerHeadLong
		}
		n, err = u.read(x.up.free())
		x.up.w += n
	}
}

// finishAnswer reads the body of an answer, if it is not long: an app that could
// not send it would take the probe for a client that left.
func (u *upstream) finishAnswer(x *exchange) {
	left := int64(upSize)
	if x.resp.Framing == http1.Length {
		left = min(left, x.resp.Length-int64(x.up.len()))
	}
	for left > 0 && x.resp.Framing != http1.NoBody {
		n, err := u.read(x.out[:min(left, int64(cap(x.out)))])
		if err != nil || n == 0 {
			return
		}
		left -= int64(n)
	}
}

var (
	probeLimits = http1.Limits{MaxBytes: upSize, MaxFields: maxFields}
	errNoAnswer = errors.New("read answer: closed without one")
)

// reasonOf is an error as the operator is told it.
func reasonOf(err error) string {
	var broken *http1.Error
	switch {
	case errors.As(err, &broken):
		return "answer broke HTTP: " + broken.Error()
	case errors.Is(err, errTimeout):
		return "no answer in time"
	}
	return err.Error()
}
