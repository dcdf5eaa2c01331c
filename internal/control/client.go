package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Times that a client has patience for.
const (
	dialTimeout = 5 * time.Second
	// answerTimeout is how long the daemon may take to begin its answer.
	answerTimeout = 30 * time.Second
	// silenceTimeout is how long a stream may be without even a blank line.
	silenceTimeout = 30 * time.Second
)

// maxAnswer bounds what a client takes in one piece: an answer, or a line of a
// stream.
const maxAnswer = 64 << 20

// Client talks to a daemon through one of its doors. Its methods may be called
// from any goroutine, and keep no connection when they have returned.
//
// Their errors are an *UnreachableError, an *Error (the daemon's answer, or
// CodeNotPermitted if the door is locked), a *LostError, or the cause of the
// context's end.
type Client struct {
	// target is what people call the door: a path or an address.
	target string
	base   string
	token  string
	http   *http.Client
	// silence is silenceTimeout, but in tests.
	silence time.Duration
}

// UnreachableError says that nobody answered: no socket, nobody who listens on
// it, or a connection that ended before the first byte of an answer.
type UnreachableError struct {
	Target string
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the daemon cannot be reached at %s: %v", e.Target, e.Err)
}

// Unwrap yields the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// LostError says that an answer began and did not end: how the operation went
// on is not known.
type LostError struct{ Err error }

func (e *LostError) Error() string {
	return fmt.Sprintf("the connection to the daemon was lost: %v", e.Err)
}

// Unwrap yields the reason.
func (e *LostError) Unwrap() error { return e.Err }

// NewUnixClient makes a client of the control socket at path.
func NewUnixClient(path string) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return newClient(path, "http://gracevisor", "", func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	})
}

// NewTCPClient makes a client of the TCP door at host and port.
func NewTCPClient(host string, port int, token string) *Client {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	dialer := &net.Dialer{Timeout: dialTimeout}
	return newClient(address, "http://"+address, token, dialer.DialContext)
}

func newClient(target, base, token string, dial func(context.Context, string, string) (net.Conn, error)) *Client {
	return &Client{
		target:  target,
		base:    base,
		token:   token,
		silence: silenceTimeout,
		http: &http.Client{
			// No proxy, and no redirect: the token is for the daemon only.
			Transport: &http.Transport{
				DialContext:           dial,
				ResponseHeaderTimeout: answerTimeout,
				DisableKeepAlives:     true,
				DisableCompression:    true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Status tells the state of the named apps, or of all.
func (c *Client) Status(ctx context.Context, apps ...string) (*Status, error) {
	var status Status
	if err := c.get(ctx, "/v1/status", url.Values{"app": apps}, &status); err != nil {
		return nil, err
	}
	return &status, nil
}

// Sockets lists the external addresses.
func (c *Client) Sockets(ctx context.Context) ([]Socket, error) {
	var list SocketList
	err := c.get(ctx, "/v1/sockets", nil, &list)
	return list.Sockets, err
}

// Workers lists the proxy workers with what they hold.
func (c *Client) Workers(ctx context.Context) ([]Worker, error) {
	var list WorkerList
	err := c.get(ctx, "/v1/workers", nil, &list)
	return list.Workers, err
}

// Version is the daemon's.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var v Version
	err := c.get(ctx, "/v1/version", nil, &v)
	return v, err
}

// Begin starts an operation and does not wait for it.
func (c *Client) Begin(ctx context.Context, req Request) error {
	wait := false
	resp, err := c.send(ctx, http.MethodPost, "/v1/operations", operationRequest{req, &wait})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

// send makes a request and returns the answer if it is a good one; the caller
// closes its body.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.notSent(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, answeredError(resp)
	}
	return resp, nil
}

// notSent tells why there is no answer at all.
func (c *Client) notSent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return &Error{Code: CodeNotPermitted, Message: fmt.Sprintf("open %s: %v", c.target, reasonOf(err))}
	}
	return &UnreachableError{Target: c.target, Err: reasonOf(err)}
}

// reasonOf strips the addresses that net puts around an error.
func reasonOf(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it hung up without an answer")
	}
	return err
}

// answeredError reads the error that the daemon answered with. It may be that
// of net/http, which is plain text, or of a server that is not ours.
func answeredError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	var body errorBody
	if json.Unmarshal(text, &body) == nil && body.Error != nil && body.Error.Message != "" {
		return body.Error
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	e := &Error{Code: CodeInternal, Message: fmt.Sprintf("the daemon answered %q", resp.Status)}
	if line != "" {
		e.Message += fmt.Sprintf(": %q", line)
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		e.Code = CodeNotPermitted
	}
	return e
}

func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &LostError{Err: reasonOf(err)}
}
