package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

var (
	errSilent  = errors.New("the daemon has gone silent")
	errTooLong = errors.New("a line is too long")
	errCutOff  = errors.New("it was closed before the end of the answer")
)

// Do starts an operation and calls each with every event, the results among
// them. It returns nil when all results have come, whatever they are. If ctx
// ends first the operation goes on.
func (c *Client) Do(ctx context.Context, req Request, each func(Event)) error {
	return readStream(ctx, c, http.MethodPost, "/v1/operations", operationRequest{Request: req}, each)
}

// Output calls each with the last n lines of an app's output, oldest first,
// and with follow with those that come after them, until ctx or the daemon
// ends, or the app is removed.
func (c *Client) Output(ctx context.Context, app string, n int, follow bool, each func(OutputLine)) error {
	query := url.Values{"n": {strconv.Itoa(n)}}
	if follow {
		query.Set("follow", "1")
	}
	path := "/v1/apps/" + url.PathEscape(app) + "/output?" + query.Encode()
	return readStream(ctx, c, http.MethodGet, path, nil, each)
}

// readStream makes a request whose answer is JSON lines, and calls each with every
// line's value. A daemon that sends nothing at all, not even blank lines, is
// taken for lost.
func readStream[T any](ctx context.Context, c *Client, method, path string, body any, each func(T)) error {
	heard, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.send(heard, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	silence := time.AfterFunc(c.silence, func() { cancel(errSilent) })
	defer silence.Stop()
	err = eachLine(resp.Body, func(line []byte) error {
		// Printing may take its time (a pager): only reading is timed.
		silence.Stop()
		defer silence.Reset(c.silence)
		if len(line) == 0 {
			return nil
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("read a line of the answer: %w", err)
		}
		each(v)
		return nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case heard.Err() != nil:
		return &LostError{Err: context.Cause(heard)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &LostError{Err: errCutOff}
	}
	return &LostError{Err: reasonOf(err)}
}

// eachLine calls each with every line of r, without its end. A last line
// without an end was cut off, and is an error.
func eachLine(r io.Reader, each func([]byte) error) error {
	buffered := bufio.NewReader(r)
	var line []byte
	for {
		part, err := buffered.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) > maxAnswer {
				return errTooLong
			}
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if err := each(bytes.TrimRight(line, "\r\n")); err != nil {
			return err
		}
		line = line[:0]
	}
}
