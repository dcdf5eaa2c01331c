package flow

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestCheck: whatever the pieces it comes in, a flow is known, and what is lost,
// doubled or changed in it is found.
func TestCheck(t *testing.T) {
	const size = 200_000
	whole, err := io.ReadAll(io.LimitReader(Bytes("a"), size))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(whole), "byte by byte": iotest.OneByteReader(bytes.NewReader(whole)),
		"with the end": iotest.DataErrReader(bytes.NewReader(whole)),
	} {
		if n, err := Check(r, "a"); n != size || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	changed := bytes.Clone(whole)
	changed[size-1]++
	for name, p := range map[string][]byte{
		"changed": changed, "lost": append(whole[:100:100], whole[101:]...), "doubled": append(whole[:100:100], whole[99:]...),
	} {
		if _, err := Check(bytes.NewReader(p), "a"); !errors.Is(err, ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Check(bytes.NewReader(whole), "b"); !errors.Is(err, ErrOther) {
		t.Errorf("another flow: %v", err)
	}
}
