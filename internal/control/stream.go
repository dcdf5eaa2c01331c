package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// MaxOutputLines is the most lines of past output that one request may ask for.
const MaxOutputLines = 10_000

// defaultOutputLines are told when a request does not say how many.
const defaultOutputLines = 50

// Accepted is the answer to an operation that is not waited for.
type Accepted struct {
	Accepted bool `json:"accepted"`
}

func serveOperation(x *exchange) error {
	var req operationRequest
	if err := x.decode(&req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	req.Apps = withoutRepeats(req.Apps)
	req.Caller = x.caller
	if !req.waits() {
		if _, err := x.door.ops.Start(x.door.life, req.Request); err != nil {
			return err
		}
		return x.json(http.StatusAccepted, Accepted{true})
	}
	if req.Verb == VerbReexec && !req.Check {
		return serveReexec(x, req.Request)
	}
	return x.withStream(func(s *stream) error {
		// Not the request's context: an operation is not called off by a
		// client that leaves.
		op, err := x.door.ops.Start(x.door.life, req.Request)
		if err != nil {
			return err
		}
		if err := s.begin(); err != nil {
			return err
		}
		// The door's closing does not end the stream: who waits for an
		// operation is to learn its result.
		return forward(s, op.Events, nil)
	})
}

func serveOutput(x *exchange) error {
	n, follow, err := x.outputQuery()
	if err != nil {
		return err
	}
	return x.withStream(func(s *stream) error {
		past, coming, err := x.door.ops.Output(x.r.Context(), x.name, n, follow)
		if err != nil {
			return err
		}
		if err := s.begin(); err != nil {
			return err
		}
		for _, line := range past {
			if err := s.put(line); err != nil {
				return err
			}
		}
		if !follow || coming == nil {
			return nil
		}
		if err := s.flush(); err != nil {
			return err
		}
		return forward(s, coming, x.door.closing)
	})
}

func (x *exchange) outputQuery() (n int, follow bool, err error) {
	query, err := x.query("n", "follow")
	if err != nil {
		return 0, false, err
	}
	n = defaultOutputLines
	if query.Has("n") {
		n, err = strconv.Atoi(query.Get("n"))
		if err != nil || n < 0 || n > MaxOutputLines {
			return 0, false, badRequest("n is to be a number from 0 to %d, not %q", MaxOutputLines, query.Get("n"))
		}
	}
	if query.Has("follow") {
		follow, err = strconv.ParseBool(query.Get("follow"))
		if err != nil {
			return 0, false, badRequest("follow is to be 0 or 1, not %q", query.Get("follow"))
		}
	}
	return n, follow, nil
}

// A stream is an answer of JSON values, one in a line, that may last. Blank
// lines between them show that the door is alive, and to the door that the
// client is.
type stream struct{ x *exchange }

// withStream runs serve with one of the door's streams.
func (x *exchange) withStream(serve func(*stream) error) error {
	select {
	case x.door.streams <- struct{}{}:
		defer func() { <-x.door.streams }()
	default:
		return &Error{Code: CodeBusy, Message: fmt.Sprintf(
			"%d clients wait for operations or follow output already", cap(x.door.streams))}
	}
	return serve(&stream{x})
}

// begin sends the header: the request has been taken on.
func (s *stream) begin() error {
	if err := s.x.extendWrite(); err != nil {
		return errCut
	}
	s.x.w.Header().Set("Content-Type", "application/x-ndjson")
	s.x.w.WriteHeader(http.StatusOK)
	return s.flush()
}

// put writes v as a line.
func (s *stream) put(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return errCut
	}
	return s.write(append(line, '\n'))
}

func (s *stream) write(line []byte) error {
	if err := s.x.extendWrite(); err != nil {
		return errCut
	}
	if _, err := s.x.w.Write(line); err != nil {
		return errCut
	}
	return nil
}

func (s *stream) flush() error {
	if err := s.x.rc.Flush(); err != nil {
		return errCut
	}
	return nil
}

// forward writes what values yields until it is closed, which ends the stream
// well, as end does. A client that leaves or does not read ends it, too; whoever
// fills values does not wait for us.
func forward[T any](s *stream, values <-chan T, end <-chan struct{}) error {
	beat := time.NewTicker(s.x.door.bounds.beat)
	defer beat.Stop()
	for {
		var err error
		select {
		case v, ok := <-values:
			if !ok {
				return nil
			}
			err = s.put(v)
		case <-beat.C:
			err = s.write([]byte("\n"))
		case <-end:
			return nil
		case <-s.x.r.Context().Done():
			return errCut
		}
		if err != nil {
			return err
		}
		if len(values) > 0 {
			// More is ready: a fast writer gets one flush for many lines.
			continue
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
}
