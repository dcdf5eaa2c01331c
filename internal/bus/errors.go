package bus

import (
	"context"
	"errors"
	"strings"

	"github.com/godbus/dbus/v5"

	"gracevisor/internal/control"
)

// errorPrefix begins the names of our own errors.
const errorPrefix = Name + ".Error."

// errorNames are the names that errors have on the bus.
var errorNames = map[control.Code]string{
	control.CodeNoSuchApp:     errorPrefix + "NoSuchApp",
	control.CodeNoSuchJob:     errorPrefix + "NoSuchJob",
	control.CodeConfigInvalid: errorPrefix + "ConfigInvalid",
	control.CodeBadRequest:    errorPrefix + "InvalidArgument",
	control.CodeNotPermitted:  errorPrefix + "NotPermitted",
	control.CodeJobCanceled:   errorPrefix + "JobCanceled",
	control.CodeStopping:      errorPrefix + "Stopping",
	control.CodeUnsupported:   errorPrefix + "Unsupported",
	control.CodeBusy:          errorPrefix + "Busy",
	control.CodeInternal:      errorPrefix + "Failed",
}

// maxText bounds a text that is sent, in bytes: an error with the faults of a
// configuration.
const maxText = 64 << 10

// busError makes of any error one that travels over the bus.
func busError(err error) dbus.Error {
	if e, ok := errors.AsType[dbus.Error](err); ok {
		return e
	}
	e, ok := errors.AsType[*control.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded):
		e = &control.Error{Code: control.CodeBusy, Message: "the daemon did not answer in time; try again"}
	default:
		e = &control.Error{Code: control.CodeInternal, Message: err.Error()}
	}
	name, known := errorNames[e.Code]
	if !known {
		name = errorNames[control.CodeInternal]
	}
	message := strings.Join(append([]string{e.Message}, e.Details...), "\n")
	return dbus.Error{Name: name, Body: []any{text(message)}}
}

// controlError is the reverse, for the client.
func controlError(e dbus.Error) *control.Error {
	message := strings.TrimSpace(e.Error())
	var details []string
	if lines := strings.Split(message, "\n"); len(lines) > 1 {
		message, details = lines[0], lines[1:]
	}
	for code, name := range errorNames {
		if name == e.Name {
			return &control.Error{Code: code, Message: message, Details: details}
		}
	}
	code := control.CodeInternal
	switch e.Name {
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		code = control.CodeNotPermitted
	case "org.freedesktop.DBus.Error.InvalidArgs":
		code = control.CodeBadRequest
	}
	return &control.Error{Code: code, Message: message, Details: details}
}

// text is s as a string of D-Bus: UTF-8 without a zero byte, of a bearable
// length.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func texts(list []string) []string {
	clean := make([]string, len(list))
	for i, s := range list {
		clean[i] = text(s)
	}
	return clean
}
