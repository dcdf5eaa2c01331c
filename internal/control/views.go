package control

import (
	"net/http"
	"slices"
)

// WorkerList is the answer to GET /v1/workers.
type WorkerList struct {
	Workers []Worker `json:"workers"`
}

// SocketList is the answer to GET /v1/sockets.
type SocketList struct {
	Sockets []Socket `json:"sockets"`
}

func serveStatus(x *exchange) error {
	query, err := x.query("app")
	if err != nil {
		return err
	}
	status, err := x.door.ops.Status(x.r.Context(), query["app"])
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, withLists(status))
}

// withLists gives s with empty lists in place of nil ones, which JSON would
// show as null. What is handed to the door is not written to: others may read
// it.
func withLists(s *Status) *Status {
	whole := *s
	whole.Workers = orEmpty(s.Workers)
	whole.Apps = orEmpty(slices.Clone(s.Apps))
	for i := range whole.Apps {
		app := &whole.Apps[i]
		app.Instances = orEmpty(slices.Clone(app.Instances))
		for n := range app.Instances {
			if i := &app.Instances[n]; i.Counters != nil {
				counters := *i.Counters
				counters.Latency = orEmpty(counters.Latency)
				i.Counters = &counters
			}
		}
		if app.Counters != nil {
			counters := *app.Counters
			counters.Latency = orEmpty(counters.Latency)
			counters.LatencyBounds = orEmpty(counters.LatencyBounds)
			app.Counters = &counters
		}
	}
	return &whole
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func serveWorkers(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	workers, err := x.door.ops.Workers(x.r.Context())
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, WorkerList{orEmpty(workers)})
}

func serveSockets(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	sockets, err := x.door.ops.Sockets(x.r.Context())
	if err != nil {
		return err
	}
	whole := orEmpty(slices.Clone(sockets))
	for i := range whole {
		whole[i].Apps = orEmpty(whole[i].Apps)
	}
	return x.json(http.StatusOK, SocketList{whole})
}

func serveVersion(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	return x.json(http.StatusOK, x.door.ops.Version())
}
