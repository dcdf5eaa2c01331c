package activation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// slotSize is the room of a slot. The memory is only taken as it is used.
	slotSize = 32 << 20
	// slotHeader precedes the data: magic, sequence number, length, checksum.
	slotHeader = 32
	slotMagic  = 0x67726163_65763031 // "gracev01"
)

var crcTable = crc64.MakeTable(crc64.ECMA)

// ErrNoSnapshot is the error of Read when neither slot holds a whole snapshot.
var ErrNoSnapshot = errors.New("there is no whole snapshot in it")

// A Snapshot is a memfd (memfd_create(2)) that holds the state of the daemon. It
// has two slots; the older one is written, and the newest whole one counts, so
// that a death in the middle of a write costs nothing. It is used by one
// goroutine at a time.
type Snapshot struct {
	file *os.File
	seq  uint64
}

// NewSnapshot makes an empty one.
func NewSnapshot() (*Snapshot, error) {
	fd, err := unix.MemfdCreate("gracevisor-state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make snapshot: %w", err)
	}
	return &Snapshot{file: os.NewFile(uintptr(fd), "memfd:state")}, nil
}

// OpenSnapshot takes over one that an earlier daemon has made.
func OpenSnapshot(file *os.File) *Snapshot { return &Snapshot{file: file} }

// File is the memfd; it stays the Snapshot's.
func (s *Snapshot) File() *os.File { return s.file }

// Write puts data into the older slot.
func (s *Snapshot) Write(data []byte) error {
	if len(data) > slotSize-slotHeader {
		return fmt.Errorf("write snapshot: %d bytes are too many", len(data))
	}
	seq := s.seq + 1
	at := int64(seq%2) * slotSize
	// The header last: without it the data behind it does not count.
	if _, err := s.file.WriteAt(make([]byte, slotHeader), at); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := s.file.WriteAt(data, at+slotHeader); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := s.file.WriteAt(header(seq, data), at); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	s.seq = seq
	return nil
}

// Read returns the newest whole snapshot, and lets Write go on behind it.
func (s *Snapshot) Read() ([]byte, error) {
	var newest []byte
	for slot := range int64(2) {
		seq, data, err := s.readSlot(slot * slotSize)
		if err == nil && seq > s.seq {
			s.seq, newest = seq, data
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("read snapshot: %w", ErrNoSnapshot)
	}
	return newest, nil
}

func (s *Snapshot) readSlot(at int64) (uint64, []byte, error) {
	head := make([]byte, slotHeader)
	if _, err := s.file.ReadAt(head, at); err != nil {
		return 0, nil, err
	}
	seq, length := binary.LittleEndian.Uint64(head[8:]), binary.LittleEndian.Uint64(head[16:])
	if binary.LittleEndian.Uint64(head) != slotMagic || length > slotSize-slotHeader {
		return 0, nil, ErrNoSnapshot
	}
	data := make([]byte, length)
	if _, err := s.file.ReadAt(data, at+slotHeader); err != nil && !(errors.Is(err, io.EOF) && length == 0) {
		return 0, nil, err
	}
	if string(header(seq, data)) != string(head) {
		return 0, nil, ErrNoSnapshot
	}
	return seq, data, nil
}

// header is what stands before data in a slot.
func header(seq uint64, data []byte) []byte {
	head := make([]byte, 0, slotHeader)
	head = binary.LittleEndian.AppendUint64(head, slotMagic)
	head = binary.LittleEndian.AppendUint64(head, seq)
	head = binary.LittleEndian.AppendUint64(head, uint64(len(data)))
	sum := crc64.Update(crc64.Checksum(head, crcTable), crcTable, data)
	return binary.LittleEndian.AppendUint64(head, sum)
}
