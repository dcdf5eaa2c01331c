package activation

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func newSnapshot(t *testing.T) *Snapshot {
	t.Helper()
	s, err := NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.file.Close() })
	return s
}

func TestSnapshotHoldsTheNewest(t *testing.T) {
	s := newSnapshot(t)
	if _, err := s.Read(); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("Read of an empty one: %v", err)
	}
	for n := range 20 {
		want := bytes.Repeat([]byte{byte(n)}, n*1000)
		if err := s.Write(want); err != nil {
			t.Fatal(err)
		}
		got, err := OpenSnapshot(s.file).Read()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("write %d reads back as %d bytes, %v", n, len(got), err)
		}
	}
}

func TestSnapshotGoesOnAfterReading(t *testing.T) {
	s := newSnapshot(t)
	for _, text := range []string{"one", "two", "three"} {
		if err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	next := OpenSnapshot(s.file)
	if _, err := next.Read(); err != nil {
		t.Fatal(err)
	}
	if err := next.Write([]byte("four")); err != nil {
		t.Fatal(err)
	}
	if got, err := OpenSnapshot(s.file).Read(); err != nil || string(got) != "four" {
		t.Errorf("Read = %q, %v", got, err)
	}
}

// TestSnapshotSurvivesDamage damages the newest slot at every kind of place, as
// a death in the middle of a write would: the one before it counts.
func TestSnapshotSurvivesDamage(t *testing.T) {
	const length = 5000
	for range 300 {
		s := newSnapshot(t)
		older := bytes.Repeat([]byte("o"), length)
		for _, data := range [][]byte{[]byte("first"), older, bytes.Repeat([]byte("n"), length)} {
			if err := s.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		at := int64(s.seq%2)*slotSize + rand.Int64N(slotHeader+length)
		if _, err := s.file.WriteAt([]byte{0xff}, at); err != nil {
			t.Fatal(err)
		}
		got, err := OpenSnapshot(s.file).Read()
		if err != nil || !bytes.Equal(got, older) {
			t.Fatalf("damaged at %d: %d bytes, %v", at, len(got), err)
		}
		s.file.Close()
	}
}

func TestSnapshotRefusesGarbage(t *testing.T) {
	for _, size := range []int64{0, 1, slotHeader, slotSize, 2 * slotSize} {
		s := newSnapshot(t)
		if err := s.file.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(); !errors.Is(err, ErrNoSnapshot) {
			t.Errorf("%d bytes of zeros: %v", size, err)
		}
	}
	s := newSnapshot(t)
	if err := s.Write(make([]byte, slotSize)); err == nil {
		t.Error("a snapshot that is too long is written")
	}
}
