package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"strconv"

	systemd "github.com/coreos/go-systemd/v22/journal"
)

// A journalOutput makes entries of the journal from the lines of a source.
//
// It treats them as journald treats what services write (systemd.exec(5)): both
// streams have the priority info, unless a line begins with another in angle
// brackets (sd-daemon(3)), empty lines are left out, and a line that is too long
// becomes several entries.
type journalOutput struct {
	feed *feed
	// head are the fields that all entries have.
	head []byte
	// begun is the beginning of a line whose end has not come yet.
	begun []byte
	// priority is that of the line; continued means that it has been found,
	// because a part of the line is an entry already.
	priority  systemd.Priority
	continued bool
}

// openOutput starts a feed for a source; it ends with end.
func (j *journal) openOutput(src Source, log *slog.Logger) *journalOutput {
	instance := strconv.FormatUint(src.Instance, 10)
	head := appendField(newEntry(), fieldIdentifier, src.App)
	head = appendField(head, fieldApp, src.App)
	head = appendField(head, fieldInstance, instance)
	head = appendField(head, fieldStream, src.Stream)
	o := &journalOutput{head: head}
	o.feed = j.newFeed(
		func(missing int) []byte {
			return o.entry(systemd.PriWarning, fmt.Appendf(nil, "%d lines are missing here: the journal did not take them", missing))
		},
		func(missing int) {
			log.Warn("output is missing in the journal",
				"app", src.App, "instance", src.Instance, "stream", src.Stream, "lines", missing)
		})
	return o
}

// entry makes an entry of a message without line feeds.
func (o *journalOutput) entry(priority systemd.Priority, message []byte) []byte {
	entry := make([]byte, 0, len(o.head)+len(message)+32)
	entry = append(entry, o.head...)
	entry = appendField(entry, fieldPriority, strconv.Itoa(int(priority)))
	entry = append(entry, fieldMessage...)
	entry = append(entry, '=')
	entry = append(entry, message...)
	return append(entry, '\n')
}

// push takes what the source has written. It does not wait.
func (o *journalOutput) push(p []byte) {
	for len(p) > 0 {
		part := p[:min(len(p), longestEntryLine-len(o.begun))]
		end := bytes.IndexByte(part, '\n')
		switch {
		case end >= 0:
			o.line(part[:end], true)
			p = p[end+1:]
		case len(o.begun)+len(part) == longestEntryLine:
			o.line(part, false)
			p = p[len(part):]
		default:
			o.begun = append(o.begun, part...)
			return
		}
	}
}

// line adds what has begun and rest as an entry. whole says that the line ends
// there.
func (o *journalOutput) line(rest []byte, whole bool) {
	line := rest
	if len(o.begun) > 0 {
		line = append(o.begun, rest...)
		o.begun = nil
	}
	if !o.continued {
		o.priority, line = levelOf(line)
	}
	o.continued = !whole
	if whole {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	} else {
		kept := wholeRunes(line)
		o.begun = bytes.Clone(line[len(kept):])
		line = kept
	}
	if len(line) > 0 {
		o.feed.add(o.entry(o.priority, line))
	}
}

// levelOf takes the level from the beginning of a line, such as <4> (sd-daemon(3)).
func levelOf(line []byte) (systemd.Priority, []byte) {
	if len(line) > 2 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>' {
		return systemd.Priority(line[1] - '0'), line[3:]
	}
	return systemd.PriInfo, line
}

// end adds the line that has begun, and ends the feed.
func (o *journalOutput) end() {
	if len(o.begun) > 0 {
		o.line(nil, true)
	}
	o.feed.end()
}
