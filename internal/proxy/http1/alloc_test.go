package http1

import "testing"

// TestAllocations: once the memory of a Request, a Response, a ChunkReader and
// a buffer has its size, no message allocates.
func TestAllocations(t *testing.T) {
	var req Request
	var resp Response
	var chunks ChunkReader
	out := make([]byte, 0, 4096)
	request := func(head string) func() error {
		buf := []byte(head)
		return func() error {
			_, err := req.Parse(buf, usualLimits)
			out = appendRequest(out[:0], &req)
			return err
		}
	}
	answer := []byte(answerHead)
	body := []byte("3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n")
	for name, work := range map[string]func() error{
		"load":          request(loadHead),
		"browser":       request(browserHead),
		"absolute form": request("GET http://b?x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
		"options":       request("OPTIONS http://b HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n"),
		"upload":        request(get("Content-Length: 5", "Expect: 100-continue")),
		"websocket":     request(get("Connection: keep-alive, Upgrade", "Upgrade: websocket", "TE: gzip, trailers")),
		"many named":    request(get("Connection: a, b, c, d, e, f, g", "Connection: h", "F: 1", "H: 2", "I: 3")),
		"answer": func() error {
			_, err := resp.Parse(answer, usualLimits, false)
			for i := range resp.Fields {
				resp.HopByHop(i)
			}
			return err
		},
		"chunked with trailers": func() error {
			chunks.Reset(usualLimits)
			var err error
			for buf, done := body, false; !done && err == nil; {
				var skip, data int
				skip, data, done, err = chunks.Next(buf)
				buf = buf[skip+data:]
			}
			return err
		},
		"writers": func() error {
			out = AppendStatusLine(out[:0], 200, nil)
			out = AppendStatusLine(out, 200, req.Method)
			out = AppendChunkHeader(out, 4096)
			out = AppendLastChunk(out, chunks.Trailers())
			return nil
		},
		"slow client": func() error {
			for n := 100; n <= len(answer); n++ {
				if _, err := resp.Parse(answer[:n], usualLimits, false); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		var err error
		got := testing.AllocsPerRun(100, func() {
			if e := work(); e != nil {
				err = e
			}
		})
		if err != nil || got != 0 {
			t.Errorf("%s: got %v allocations, error %v, want 0 and none", name, got, err)
		}
	}
}
