package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// errCut ends a handler whose answer cannot be completed: the connection is
// closed in the middle, so that the client does not take it for whole.
var errCut = errors.New("answer cut off")

// An exchange is one request and its answer. It lives in the goroutine that
// net/http serves the request in.
type exchange struct {
	door *door
	w    http.ResponseWriter
	r    *http.Request
	rc   *http.ResponseController
	// caller says who asks, for the log.
	caller string
	// name is the NAME of the path, where it has one.
	name string
}

// ServeHTTP admits the request, finds its route and answers.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if d.slots.crowded() {
		// Idle connections must not keep others from coming in.
		h.Set("Connection", "close")
	}
	x := &exchange{door: d, w: w, r: r, rc: http.NewResponseController(w)}
	if err := x.answer(); err != nil {
		x.fail(err)
	}
}

func (x *exchange) answer() error {
	caller, ref := x.door.guard.admit(x.r)
	x.caller = caller
	if ref != nil {
		ref.hangUp = true
		return ref
	}
	serve, ref := x.route()
	if ref != nil {
		return ref
	}
	return serve(x)
}

// extendWrite gives the next write the whole time for writing again.
func (x *exchange) extendWrite() error {
	return x.rc.SetWriteDeadline(time.Now().Add(x.door.bounds.write))
}

// decode reads the body, which must be one JSON object without unknown fields,
// into v.
func (x *exchange) decode(v any) error {
	media, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, CodeBadRequest,
			"the content type must be application/json")
	}
	body, err := x.body()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badRequest("the body is no such request: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return badRequest("the body holds more than one JSON value")
	}
	return nil
}

// body reads the whole body, as far as it is of a bearable size.
func (x *exchange) body() ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, CodeBadRequest,
		"the body is larger than %d bytes", maxBody)
	tooLarge.hangUp = true
	if x.r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	ref := badRequest("the body cannot be read: %v", err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		ref = refuse(http.StatusRequestTimeout, CodeBadRequest, "the body did not come in time")
	}
	ref.hangUp = true
	return nil, ref
}

// query parses the query, in which only the allowed names may stand.
func (x *exchange) query(allowed ...string) (url.Values, error) {
	values, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query cannot be read: %v", err)
	}
	for name := range values {
		if !slices.Contains(allowed, name) {
			return nil, badRequest("unknown parameter %q", name)
		}
	}
	return values, nil
}
