package systemd

import (
	"fmt"
	"strings"
	"time"

	"gracevisor/internal/control"
)

// held is a request that an app has, and answers when the test says so.
type held struct {
	service *service
	file    string // the app waits for it
	// answered tells whether it was answered.
	answered chan error
}

// hold begins a request, and waits until the app has it.
func (s *service) hold() *held {
	s.t.Helper()
	h := &held{s, fmt.Sprintf("/run/answer.%d", time.Now().UnixNano()), make(chan error, 1)}
	// Ends with the answer, or with the connection.
	go func() {
		got, err := s.get(8080, "/await?file="+h.file)
		if err == nil && got.status != 200 {
			err = fmt.Errorf("got %+v", got)
		}
		h.answered <- err
	}()
	s.awaitApp("demo", "to have a request", func(a control.AppStatus) bool { return a.InFlight == 1 })
	return h
}

// release lets the app answer.
func (h *held) release() {
	h.service.t.Helper()
	h.service.Write(h.file, "")
}

// awaitStopping waits until the daemon has begun to stop.
func (s *service) awaitStopping() {
	s.t.Helper()
	s.Await("the daemon to be stopping", func() (string, bool) {
		seen := s.Run("systemctl", "show", "--property=ActiveState,StatusText", daemonUnit)
		return seen, strings.Contains(seen, "ActiveState=deactivating\n") && strings.Contains(seen, "stopping")
	})
}
