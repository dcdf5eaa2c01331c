package survival

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/load"
)

// held are requests that the web app has, and that end when the test says so.
type held struct {
	scene *scene
	file  string // the app waits for it
	all   []heldRequest
}

type heldRequest struct {
	conn net.Conn
	rest string // of the body, which the app waits for
}

// hold begins requests: some that the app is to answer, and some whose bodies are
// yet to come. It returns when the app has them all.
func (s *scene) hold(answers, uploads int) *held {
	s.t.Helper()
	h := &held{scene: s, file: fmt.Sprintf("answer.%d", time.Now().UnixNano())}
	for range answers {
		h.begin(fmt.Sprintf("GET /await?file=%s/%s HTTP/1.1\r\nHost: h\r\n\r\n", s.Dir, h.file), "")
	}
	const half = 100_000 // more than is kept until all has come
	for range uploads {
		head := fmt.Sprintf("POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 2*half)
		h.begin(head+string(load.Pattern(half)), string(load.Pattern(half)))
	}
	s.AwaitApp(web, "have the requests", func(a control.AppStatus) bool { return a.InFlight == answers+uploads })
	return h
}

func (h *held) begin(text, rest string) {
	s := h.scene
	s.t.Helper()
	conn, err := net.Dial("tcp", s.web.Address())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * harness.DeadMan))
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	h.all = append(h.all, heldRequest{conn, rest})
}

// answered lets all requests end, and fails the test unless each is answered.
func (h *held) answered() {
	h.scene.t.Helper()
	h.scene.WriteFile(h.file, "")
	for _, r := range h.all {
		if err := r.end(); err != nil {
			h.scene.t.Errorf("a request under way: %v", err)
		}
	}
}

// end sends the rest of a request, and reads its answer.
func (r heldRequest) end() error {
	defer r.conn.Close()
	if _, err := io.WriteString(r.conn, r.rest); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("status %d", answer.StatusCode))
	}
	if want := fmt.Sprint(2*len(r.rest), " "); r.rest != "" && !strings.HasPrefix(string(body), want) {
		err = errors.Join(err, fmt.Errorf("the app has got %q of %s bytes", body, want))
	}
	return err
}
