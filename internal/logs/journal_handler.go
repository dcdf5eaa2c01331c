package logs

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/journal"
)

// identifier is what the daemon calls itself in the journal.
const identifier = "gracevisord"

// A journalHandler makes entries of the journal from log records. The message is
// readable for itself, with all attributes in it; each attribute is a field as
// well, GRACEVISOR_ and its key: app=demo can be looked for as
// GRACEVISOR_APP=demo.
type journalHandler struct {
	text *compactHandler
	// fields are those of the attributes that all records have.
	fields []byte
	// groups are the groups that are open, each with an underscore.
	groups string
	add    func(entry []byte)
}

// newJournalHandler returns a handler that gives each entry to add.
func newJournalHandler(level slog.Leveler, add func(entry []byte)) *journalHandler {
	return &journalHandler{text: newCompactHandler(nil, level, false), add: add}
}

func (h *journalHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.text.Enabled(ctx, level)
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.text = h.text.WithAttrs(attrs).(*compactHandler)
	c.fields = h.fields[:len(h.fields):len(h.fields)]
	for _, a := range attrs {
		c.fields = appendAttr(c.fields, h.groups, a)
	}
	return &c
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.text = h.text.WithGroup(name).(*compactHandler)
	if name != "" {
		c.groups += name + "_"
	}
	return &c
}

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	message, err := h.text.message(ctx, r)
	if err != nil {
		return err
	}
	message = strings.ToValidUTF8(message[:min(len(message), longestEntryLine)], "\ufffd")
	entry := beginDaemonEntry(priorityOf(r.Level))
	entry = append(entry, h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		entry = appendAttr(entry, h.groups, a)
		return true
	})
	h.add(appendField(entry, fieldMessage, message))
	return nil
}

func beginDaemonEntry(priority systemd.Priority) []byte {
	entry := appendField(newEntry(), fieldPriority, strconv.Itoa(int(priority)))
	return appendField(entry, fieldIdentifier, identifier)
}

// appendAttr adds the field, or, for a group, the fields of an attribute.
func appendAttr(p []byte, groups string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "_"
		}
		for _, member := range value.Group() {
			p = appendAttr(p, groups, member)
		}
		return p
	}
	if a.Key == "" {
		return p
	}
	text := value.String()
	return appendField(p, fieldName(groups+a.Key), cut([]byte(text), len(text)))
}

// priorityOf translates a level (syslog(3)).
func priorityOf(level slog.Level) systemd.Priority {
	switch {
	case level >= slog.LevelError:
		return systemd.PriErr
	case level >= slog.LevelWarn:
		return systemd.PriWarning
	case level >= slog.LevelInfo:
		return systemd.PriInfo
	default:
		return systemd.PriDebug
	}
}

// journalBehind returns the journal that standard error leads to, or nil if it
// leads somewhere else. It is where systemd says so, by $JOURNAL_STREAM, which
// an inherited standard error may also have been redirected from
// (systemd.exec(5)).
func journalBehind(foreground io.Writer, path string) (*journal, error) {
	if foreground != io.Writer(os.Stderr) {
		return nil, nil
	}
	if is, err := systemd.StderrIsJournalStream(); err != nil || !is {
		return nil, err
	}
	j := newJournal(path, slog.New(slog.DiscardHandler)) // its failures are told by its entries
	if _, err := j.connection(nil); err != nil {
		return nil, err
	}
	return j, nil
}
