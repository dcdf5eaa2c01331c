package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

// ErrOther says that other bytes have come than those of the flow.
var ErrOther = errors.New("other bytes than those of the flow")

// Bytes is the flow of a name.
func Bytes(name string) io.Reader {
	var seed [32]byte
	copy(seed[:], name)
	return rand.NewChaCha8(seed)
}

// Check reads the flow of a name to its end, and returns how many bytes have
// come, all of which were as they should be.
func Check(got io.Reader, name string) (n int64, err error) {
	want := Bytes(name)
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		m, err := got.Read(a)
		if _, e := io.ReadFull(want, b[:m]); e != nil {
			return n, e
		}
		if !bytes.Equal(a[:m], b[:m]) {
			return n, fmt.Errorf("after %d bytes: %w", n, ErrOther)
		}
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
