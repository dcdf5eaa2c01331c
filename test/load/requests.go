package load

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// Pattern returns the n bytes that /blob answers with: the alphabet, again and
// again, so that a byte lost or doubled shows.
func Pattern(n int) []byte {
	alphabet := []byte("abcdefghijklmnopqrstuvwxyz")
	return bytes.Repeat(alphabet, n/len(alphabet)+1)[:n]
}

// Sizes of bodies in bytes, which clients take in turn: none, one packet,
// several, and around the bounds up to which bodies are buffered.
var (
	answerSizes = []int{100, 1, 0, 5_000, 100_000}
	bodySizes   = []int{100, 1, 5_000, 64 << 10, 64<<10 + 1, 200_000}
)

func (c *client) size(of []int) int { return of[c.sequence%len(of)] }

func get(c *client) (string, bool, error) {
	want := Pattern(c.size(answerSizes))
	if err := c.send(c.head("GET", fmt.Sprintf("/blob?size=%d", len(want)))); err != nil {
		return "", false, err
	}
	return c.receive(exactly(want))
}

func slow(c *client) (string, bool, error) {
	ms := c.load.options.SlowTime.Milliseconds()
	if err := c.send(c.head("GET", fmt.Sprintf("/slow?ms=%d", ms))); err != nil {
		return "", false, err
	}
	return c.receive(exactly(fmt.Appendf(nil, "slow %d\n", ms)))
}

// post sends small bodies together with the head, and large ones after it.
func post(c *client) (string, bool, error) {
	body := string(Pattern(c.size(bodySizes)))
	head := c.head("POST", "/echo", fmt.Sprintf("Content-Length: %d", len(body)))
	pieces := []string{head + body}
	if len(body) > 1000 {
		pieces = []string{head, body}
	}
	if err := c.send(pieces...); err != nil {
		return "", false, err
	}
	return c.receive(exactly([]byte(body)))
}

// postChunked cuts the body into chunks of growing sizes.
func postChunked(c *client) (string, bool, error) {
	body := string(Pattern(c.size(bodySizes)))
	pieces := []string{c.head("POST", "/echo", "Transfer-Encoding: chunked")}
	rest := body
	for size := 1; rest != ""; size *= 7 {
		n := min(size, len(rest))
		pieces = append(pieces, fmt.Sprintf("%x\r\n%s\r\n", n, rest[:n]))
		rest = rest[n:]
	}
	pieces = append(pieces, "0\r\n\r\n")
	if err := c.send(pieces...); err != nil {
		return "", false, err
	}
	return c.receive(exactly([]byte(body)))
}

// uploadPieces is the number of pieces that a slow upload comes in.
const uploadPieces = 10

func upload(c *client) (string, bool, error) {
	piece := string(Pattern(10_000))
	head := c.head("POST", "/sink", fmt.Sprintf("Content-Length: %d", uploadPieces*len(piece)))
	if err := c.send(head); err != nil {
		return "", false, err
	}
	pause := time.NewTicker(max(c.load.options.UploadTime/uploadPieces, time.Microsecond))
	defer pause.Stop()
	for range uploadPieces {
		if err := c.send(piece); err != nil {
			return "", false, err
		}
		<-pause.C
	}
	sum := crc32.ChecksumIEEE([]byte(strings.Repeat(piece, uploadPieces)))
	return c.receive(exactly(fmt.Appendf(nil, "%d %08x\n", uploadPieces*len(piece), sum)))
}

// exactly checks that a body consists of want and nothing else.
func exactly(want []byte) func(io.Reader) error {
	return func(body io.Reader) error {
		got := make([]byte, len(want))
		n, err := io.ReadFull(body, got)
		switch {
		case n < len(want) && (err == io.EOF || err == io.ErrUnexpectedEOF):
			return fmt.Errorf("body of %d bytes instead of %d: %.80q", n, len(want), got[:n])
		case err != nil && n < len(want):
			return err
		case !bytes.Equal(got, want):
			return fmt.Errorf("body differs: %.80q instead of %.80q", got, want)
		}
		return nil
	}
}
