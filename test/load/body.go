package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// body returns a reader of the answer's body. It yields io.EOF only where the
// framing ends the body; an end of the stream before that is a failure.
func (a *answer) body(r *bufio.Reader) io.Reader {
	if a.length == unknown {
		return &chunkedBody{r: r}
	}
	return &sizedBody{r: r, left: a.length}
}

type sizedBody struct {
	r    *bufio.Reader
	left int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		return n, fmt.Errorf("read body, %d bytes before its end: %w", b.left, cut(err))
	}
	return n, nil
}

// chunkedBody reads a chunked body (RFC 9112 §7.1) without extensions.
type chunkedBody struct {
	r    *bufio.Reader
	left int64 // of the chunk under way
	ends bool  // the last chunk and the trailers have been read
	some bool  // a chunk has been begun, whose line end is to be read
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.left == 0 && !b.ends {
		if err := b.next(); err != nil {
			return 0, fmt.Errorf("read chunked body: %w", cut(err))
		}
	}
	if b.ends {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		return n, fmt.Errorf("read chunked body: %w", cut(err))
	}
	return n, nil
}

// next reads up to the data of the next chunk, or to the end of the body.
func (b *chunkedBody) next() error {
	if b.some {
		if line, err := readLine(b.r); err != nil || line != "" {
			return fmt.Errorf("chunk ends with %.20q: %w", line, errors.Join(err, errChunk))
		}
	}
	b.some = true
	line, err := readLine(b.r)
	if err != nil {
		return err
	}
	size, err := strconv.ParseUint(line, 16, 31)
	if err != nil {
		return fmt.Errorf("chunk size %.20q: %w", line, errChunk)
	}
	if size > 0 {
		b.left = int64(size)
		return nil
	}
	for line != "" {
		if line, err = readLine(b.r); err != nil {
			return err
		}
		if _, err := parseField(line); err != nil && line != "" {
			return err
		}
	}
	b.ends = true
	return nil
}

var errChunk = errors.New("not as RFC 9112 has it")

// cut makes an end of the stream an unexpected one.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
