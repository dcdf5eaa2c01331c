package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// statusOf is the HTTP status that an error's code travels with.
var statusOf = map[Code]int{
	CodeNoSuchApp:     http.StatusNotFound,
	CodeConfigInvalid: http.StatusUnprocessableEntity,
	CodeBadRequest:    http.StatusBadRequest,
	CodeNotPermitted:  http.StatusForbidden,
	CodeStopping:      http.StatusServiceUnavailable,
	CodeBusy:          http.StatusServiceUnavailable,
	CodeUnsupported:   http.StatusNotImplemented,
	CodeInternal:      http.StatusInternalServerError,
	CodeNoSuchJob:     http.StatusNotFound,
	CodeJobCanceled:   http.StatusConflict,
}

// errorBody is the JSON of every error answer.
type errorBody struct {
	Error *Error `json:"error"`
}

// refusal is an error of the door itself. Its HTTP status says more than its
// code does: 405 and 413 are bad requests, too.
type refusal struct {
	status int
	err    *Error
	// hangUp closes the connection after the answer: its peer is not trusted,
	// or bytes of its request were left unread.
	hangUp bool
	header http.Header
}

func (r *refusal) Error() string { return r.err.Message }

// Unwrap yields the *Error.
func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, code Code, format string, args ...any) *refusal {
	return &refusal{status: status, err: &Error{Code: code, Message: fmt.Sprintf(format, args...)}}
}

func badRequest(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, CodeBadRequest, format, args...)
}

// refusalOf turns any error into what is told to the client.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[*Error](err); ok {
		status, known := statusOf[e.Code]
		if !known {
			status = http.StatusInternalServerError
		}
		return &refusal{status: status, err: e}
	}
	return refuse(http.StatusInternalServerError, CodeInternal, "%v", err)
}

// fail answers with err. An error of the request's own context means that
// nobody is there to be answered.
func (x *exchange) fail(err error) {
	if errors.Is(err, errCut) || x.r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler)
	}
	ref := refusalOf(err)
	h := x.w.Header()
	for name, values := range ref.header {
		h[name] = values
	}
	if ref.hangUp {
		h.Set("Connection", "close")
	}
	x.door.noteRefusal(x, ref)
	// A client that cannot be written to has no use for a second error.
	_ = x.json(ref.status, errorBody{ref.err})
	if ref.hangUp && x.r.ContentLength != 0 {
		x.linger()
	}
}

// linger takes some more of a body that is of no use before the connection is
// closed: to close it over unread bytes is to reset it, which can destroy the
// answer on its way (RFC 9112, 9.6).
func (x *exchange) linger() {
	if x.rc.Flush() == nil {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(x.w, x.r.Body, maxBody))
	}
}

// json answers with v as indented JSON: people read it, too.
func (x *exchange) json(status int, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return x.bytes(status, "application/json", append(body, '\n'))
}

// bytes answers with body at once, within the door's time for writing.
func (x *exchange) bytes(status int, contentType string, body []byte) error {
	if err := x.extendWrite(); err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if _, err := x.w.Write(body); err != nil {
		return errCut
	}
	return nil
}
