package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds of an answer's head, in bytes.
const (
	maxLine = 16 << 10
	maxHead = 64 << 10
)

// unknown is the length of a chunked body.
const unknown = -1

// answer is the head of an answer.
type answer struct {
	status int
	fields []field
	length int64 // of the body; unknown: it is chunked
	pid    string
	close  bool // the connection ends with this answer
}

type field struct{ name, value string }

// get returns the values of a field, whose name is in lower case.
func (a *answer) get(name string) []string {
	var values []string
	for _, f := range a.fields {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return values
}

// readAnswer reads the head of the final answer to a request other than HEAD
// and CONNECT; interim ones (RFC 9110 §15.2) are passed over, but 101.
func readAnswer(r *bufio.Reader) (*answer, error) {
	for {
		a, err := readHead(r)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if a.status < 200 && a.status != 101 {
			continue
		}
		if err := a.interpret(); err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		return a, nil
	}
}

func readHead(r *bufio.Reader) (*answer, error) {
	line, err := readLine(r)
	if errors.Is(err, io.EOF) && line == "" {
		return nil, errors.New("connection closed without an answer")
	}
	if err != nil {
		return nil, err
	}
	a := &answer{}
	if a.status, err = parseStatusLine(line); err != nil {
		return nil, err
	}
	for size := len(line); ; size += len(line) {
		if size > maxHead {
			return nil, errors.New("head is too long")
		}
		if line, err = readLine(r); err != nil {
			return nil, fmt.Errorf("head is cut: %w", err)
		}
		if line == "" {
			return a, nil
		}
		f, err := parseField(line)
		if err != nil {
			return nil, err
		}
		a.fields = append(a.fields, f)
	}
}

// readLine reads a line that ends with CRLF, and returns it without. With an
// error it returns what has come of the line.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxLine {
		b, err := r.ReadByte()
		if err != nil {
			return string(line), err
		}
		line = append(line, b)
		if b != '\n' {
			continue
		}
		text, whole := strings.CutSuffix(string(line), "\r\n")
		if !whole || strings.ContainsAny(text, "\r\x00") {
			return text, fmt.Errorf("bad byte or line end in %q", line)
		}
		return text, nil
	}
	return string(line), errors.New("line is too long")
}

func parseStatusLine(line string) (int, error) {
	rest, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(rest) < 4 || rest[3] != ' ' {
		return 0, fmt.Errorf("bad status line %.80q", line)
	}
	status, err := strconv.ParseUint(rest[:3], 10, 16)
	if err != nil || status < 100 || status > 599 {
		return 0, fmt.Errorf("bad status line %.80q", line)
	}
	return int(status), nil
}

func parseField(line string) (field, error) {
	name, value, ok := strings.Cut(line, ":")
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
	if !ok || name == "" || bad {
		return field{}, fmt.Errorf("bad field %.80q", line)
	}
	return field{strings.ToLower(name), strings.Trim(value, " \t")}, nil
}

// interpret reads the framing (RFC 9112 §6.3) and what else of the fields the
// client acts on. Every answer must be framed exactly once.
func (a *answer) interpret() error {
	for _, value := range a.get("connection") {
		for token := range strings.SplitSeq(value, ",") {
			a.close = a.close || strings.EqualFold(strings.TrimSpace(token), "close")
		}
	}
	if pids := a.get("x-pid"); len(pids) == 1 {
		a.pid = pids[0]
	}
	lengths, codings := a.get("content-length"), a.get("transfer-encoding")
	bodiless := a.status == 101 || a.status == 204 || a.status == 304
	switch {
	case bodiless && len(lengths)+len(codings) > 0 && a.status != 304:
		return fmt.Errorf("answer %d is framed but has no body", a.status)
	case bodiless:
		return nil
	case len(lengths)+len(codings) != 1:
		return fmt.Errorf("answer %d is framed %d times", a.status, len(lengths)+len(codings))
	case len(codings) == 1 && codings[0] != "chunked":
		return fmt.Errorf("unknown transfer coding %q", codings[0])
	case len(codings) == 1:
		a.length = unknown
		return nil
	}
	length, err := strconv.ParseUint(lengths[0], 10, 62)
	if err != nil {
		return fmt.Errorf("bad content-length %q", lengths[0])
	}
	a.length = int64(length)
	return nil
}

// expect checks status and origin of the answer. Of another status it tells
// the start of the body, which says why.
func (a *answer) expect(r *bufio.Reader, status int) error {
	if a.status != status {
		var start bytes.Buffer
		_, err := io.CopyN(&start, a.body(r), 100)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("status %d instead of %d, and its body: %w", a.status, status, err)
		}
		return fmt.Errorf("status %d instead of %d: %.100q", a.status, status, start.String())
	}
	if a.pid == "" {
		return errors.New("the answer does not say in X-Pid who made it")
	}
	return nil
}
