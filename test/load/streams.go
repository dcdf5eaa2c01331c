package load

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
)

// streamChunks is the number of pieces that a streamed answer comes in.
const streamChunks = 10

func stream(c *client) (string, bool, error) {
	ms := c.load.options.StreamTime.Milliseconds() / streamChunks
	target := fmt.Sprintf("/stream?chunks=%d&ms=%d", streamChunks, ms)
	if err := c.send(c.head("GET", target)); err != nil {
		return "", false, err
	}
	return c.receive(func(body io.Reader) error {
		lines := lineReader{r: bufio.NewReader(body)}
		for i := 1; i <= streamChunks; i++ {
			lines.expect(fmt.Sprintf("seq %d\n", i))
		}
		lines.expect(fmt.Sprintf("sum %08x\n", crc32.ChecksumIEEE(lines.seen)))
		return lines.end()
	})
}

func serverSentEvents(c *client) (string, bool, error) {
	ms := c.load.options.StreamTime.Milliseconds() / streamChunks
	target := fmt.Sprintf("/events?count=%d&ms=%d", streamChunks, ms)
	if err := c.send(c.head("GET", target, "Accept: text/event-stream")); err != nil {
		return "", false, err
	}
	return c.receive(func(body io.Reader) error {
		lines := lineReader{r: bufio.NewReader(body)}
		for i := 1; i <= streamChunks; i++ {
			lines.expect(fmt.Sprintf("id: %d\n", i))
			lines.expect(fmt.Sprintf("data: event %d\n", i))
			lines.expect("\n")
		}
		return lines.end()
	})
}

// lineReader compares a stream with the lines that it should have. After the
// first difference it reads nothing more.
type lineReader struct {
	r    *bufio.Reader
	seen []byte
	err  error
}

func (l *lineReader) expect(want string) {
	if l.err != nil {
		return
	}
	line, err := l.r.ReadString('\n')
	l.seen = append(l.seen, line...)
	switch {
	case line == want:
	case err != nil:
		l.err = fmt.Errorf("stream ends instead of line %q: %w", want, err)
	default:
		l.err = fmt.Errorf("line %.80q instead of %q", line, want)
	}
}

// end expects the end of the stream, and returns the first difference.
func (l *lineReader) end() error {
	if l.err != nil {
		return l.err
	}
	line, err := l.r.ReadString('\n')
	switch {
	case line != "":
		return fmt.Errorf("line %.80q instead of the end", line)
	case err != io.EOF:
		return err
	}
	return nil
}
