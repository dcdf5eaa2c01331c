package logs

import (
	"encoding/binary"
	"strings"
)

// Names of the fields of entries (systemd.journal-fields(7)), ours below them.
const (
	fieldMessage    = "MESSAGE"
	fieldPriority   = "PRIORITY"
	fieldIdentifier = "SYSLOG_IDENTIFIER"

	fieldPrefix   = "GRACEVISOR_"
	fieldApp      = fieldPrefix + "APP"
	fieldInstance = fieldPrefix + "INSTANCE"
	fieldStream   = fieldPrefix + "STREAM"
)

const (
	// longestName is how long journald lets the name of a field be.
	longestName = 64
	// longestEntryLine is how long a line of an entry may be: where journald
	// cuts what it reads from a stream (LineMax= of journald.conf(5)).
	longestEntryLine = 48 << 10
)

// newEntry begins an entry, with room for its frame.
func newEntry() []byte { return make([]byte, frameBytes, 512) }

// appendField adds a field to an entry. Values of several lines are preceded by
// their length.
func appendField(p []byte, name, value string) []byte {
	p = append(p, name...)
	if strings.IndexByte(value, '\n') < 0 {
		p = append(p, '=')
	} else {
		p = append(p, '\n')
		p = binary.LittleEndian.AppendUint64(p, uint64(len(value)))
	}
	p = append(p, value...)
	return append(p, '\n')
}

// fieldName makes the name of a field: upper-case letters, digits and
// underscores.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	name = fieldPrefix + name
	return name[:min(len(name), longestName)]
}
