package logs

import "encoding/binary"

// frameBytes is the length of what stands before an entry in a queue: how long
// it is.
const frameBytes = 4

// A feed sends the entries of one source, or of the daemon's own log, to the
// journal, without anybody waiting for that. Entries that are lost, because the
// journal does not keep up or is not there, are counted; an entry in their place
// says how many they were as soon as one gets through.
type feed struct {
	journal *journal
	queue   *queue
	// notice makes the entry that tells how many are missing.
	notice func(missing int) []byte
	// gone is told at the end how many are missing of which no entry tells.
	gone func(missing int)

	// missing belongs to the goroutine of the queue.
	missing int
}

// newFeed starts a feed; its goroutine ends after end, or with the journal.
func (j *journal) newFeed(notice func(missing int) []byte, gone func(missing int)) *feed {
	f := &feed{journal: j, notice: notice, gone: gone}
	j.mu.Lock()
	defer j.mu.Unlock()
	f.queue = newQueue(f.write, f.ended)
	j.feeds[f] = struct{}{}
	if j.closed {
		f.queue.end()
	}
	return f
}

// add takes an entry that was begun by newEntry. It does not wait.
func (f *feed) add(entry []byte) {
	binary.LittleEndian.PutUint32(entry, uint32(len(entry)-frameBytes))
	_, _ = f.queue.Write(entry) // a queue never fails
}

// end takes no more entries; those that are there are sent.
func (f *feed) end() { f.queue.end() }

// write sends what the queue has gathered.
func (f *feed) write(entries []byte, dropped int) {
	for len(entries) > 0 {
		end := frameBytes + binary.LittleEndian.Uint32(entries)
		f.send(entries[frameBytes:end])
		entries = entries[end:]
	}
	f.missing += dropped
	f.tell()
}

// send sends an entry, after that which tells what is missing before it.
func (f *feed) send(entry []byte) {
	if !f.tell() || f.journal.send(entry) != nil {
		f.missing++
	}
}

// tell sends the entry that tells what is missing. It returns false if that
// fails, and something is missing still.
func (f *feed) tell() bool {
	if f.missing > 0 && f.journal.send(f.notice(f.missing)[frameBytes:]) == nil {
		f.missing = 0
	}
	return f.missing == 0
}

func (f *feed) ended() {
	if f.missing > 0 {
		f.gone(f.missing)
	}
	f.journal.mu.Lock()
	defer f.journal.mu.Unlock()
	delete(f.journal.feeds, f)
}
