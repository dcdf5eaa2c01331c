package control

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestManual(t *testing.T) {
	st := wholeStatus()
	st.Since = time.Now().Add(-3 * time.Hour)
	st.Apps[0].Since = time.Now()
	st.Apps[0].LastError = "<img src=x onerror=alert(1)> instance 1 exited with status 1"
	st.Apps = append(st.Apps, AppStatus{Name: "web", State: "failed", External: "localhost:8081", Since: time.Now().Add(-time.Hour), ListenError: "listen on [::1]:8081: address already in use", LastError: "start: no such file"})
	d := openDoors(t, &fakeOps{
		status: func([]string) (*Status, error) { return st, nil },
		start: func(_ context.Context, r Request) (*Operation, error) {
			return operation(Event{Kind: EventStep, App: r.Apps[0], Message: "instance 8 started, pid 4711"},
				Event{Kind: EventResult, App: r.Apps[0], Result: ResultFailed, Error: "exited", Output: []string{"<b>boom</b>"}}), nil
		},
	})
	fmt.Println("PORT", d.port)
	for {
		if _, err := os.Stat("/tmp/manual.stop"); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
