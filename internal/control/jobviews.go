package control

import (
	"net/http"
	"strconv"
)

// JobList is the answer to GET /v1/jobs.
type JobList struct {
	Jobs []Job `json:"jobs"`
}

func serveJobs(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	list, err := x.door.ops.Jobs(x.r.Context())
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, JobList{orEmpty(list)})
}

// Canceled is the answer to POST /v1/jobs/ID/cancel.
type Canceled struct {
	Canceled bool `json:"canceled"`
}

func serveCancel(x *exchange) error {
	if err := x.decode(&struct{}{}); err != nil {
		return err
	}
	id, err := strconv.ParseUint(x.name, 10, 32)
	if err != nil {
		return badRequest("%q is no number of a job", x.name)
	}
	if err := x.door.ops.CancelJob(x.r.Context(), uint32(id), x.caller); err != nil {
		return err
	}
	return x.json(http.StatusOK, Canceled{true})
}

// serveEvents tells of what happens until the client leaves or the door closes.
// The stream of a client that does not keep up is cut off.
func serveEvents(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	return x.withStream(func(s *stream) error {
		watch := x.door.ops.Watch()
		notices, lost := make(chan Notice), make(chan error, 1)
		// Ends when the watch is closed, or is over by itself.
		go func() {
			defer close(notices)
			lost <- passOn(x, watch, notices)
		}()
		defer func() {
			watch.Close()
			for range notices { // lets the goroutine end
				continue
			}
		}()
		if err := s.begin(); err != nil {
			return err
		}
		if err := forward(s, notices, x.door.closing); err != nil {
			return err
		}
		select {
		case err := <-lost: // it did not end by our closing it
			if err != nil {
				return errCut
			}
		default:
		}
		return nil
	})
}

// passOn moves what is noticed to a channel.
func passOn(x *exchange, watch *Watch, notices chan<- Notice) error {
	for {
		taken, err := watch.Next(x.r.Context())
		if err != nil {
			return err
		}
		for _, n := range taken {
			select {
			case notices <- n:
			case <-x.r.Context().Done():
				return x.r.Context().Err()
			}
		}
	}
}
