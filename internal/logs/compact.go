package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// timeFormat is RFC 3339 with milliseconds, as slog's text handler has it.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// A compactHandler writes log records for people, one line each:
//
//	2026-01-02T15:04:05.000Z WARN  restart failed  app=demo error="exit status 3"
type compactHandler struct {
	// attributes writes them, and nothing else, into shared.text.
	attributes slog.Handler
	shared     *compactOutput
}

// compactOutput is what the handlers of one output have in common.
type compactOutput struct {
	out    io.Writer
	colors bool
	mu     sync.Mutex
	text   bytes.Buffer
}

func newCompactHandler(out io.Writer, level slog.Leveler, colors bool) *compactHandler {
	shared := &compactOutput{out: out, colors: colors}
	attributes := slog.NewTextHandler(&shared.text, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	})
	return &compactHandler{attributes, shared}
}

func (h *compactHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attributes.Enabled(ctx, level)
}

func (h *compactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &compactHandler{h.attributes.WithAttrs(attrs), h.shared}
}

func (h *compactHandler) WithGroup(name string) slog.Handler {
	return &compactHandler{h.attributes.WithGroup(name), h.shared}
}

func (h *compactHandler) Handle(ctx context.Context, r slog.Record) error {
	o := h.shared
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Reset()
	o.text.WriteString(o.paint(dim, r.Time.Format(timeFormat)))
	o.text.WriteByte(' ')
	o.text.WriteString(o.paint(colorOf(r.Level), pad(r.Level.String())))
	o.text.WriteByte(' ')
	if err := h.describe(ctx, r); err != nil {
		return err
	}
	_, err := o.out.Write(o.text.Bytes())
	return err
}

// message returns what Handle writes, without time and level.
func (h *compactHandler) message(ctx context.Context, r slog.Record) (string, error) {
	o := h.shared
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Reset()
	if err := h.describe(ctx, r); err != nil {
		return "", err
	}
	return strings.TrimSuffix(o.text.String(), "\n"), nil
}

// describe appends the message and the attributes to the text. h.shared.mu is
// held.
func (h *compactHandler) describe(ctx context.Context, r slog.Record) error {
	text := &h.shared.text
	text.WriteString(printable(r.Message))
	end := text.Len()
	text.WriteString("  ")
	if err := h.attributes.Handle(ctx, r); err != nil {
		return err
	}
	if bytes.Equal(text.Bytes()[end:], []byte("  \n")) { // no attributes
		text.Truncate(end)
		text.WriteByte('\n')
	}
	return nil
}

// The colours of ECMA-48, SGR.
const (
	dim    = "2"
	red    = "31"
	yellow = "33"
	plain  = ""
)

func colorOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return red
	case level >= slog.LevelWarn:
		return yellow
	case level < slog.LevelInfo:
		return dim
	default:
		return plain
	}
}

func (o *compactOutput) paint(color, text string) string {
	if !o.colors || color == plain {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// pad makes levels equally wide.
func pad(level string) string {
	const width = len("ERROR")
	return level + strings.Repeat(" ", max(0, width-len(level)))
}

// printable quotes a message that would do something to a terminal.
func printable(message string) string {
	if strings.ContainsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(message)
	}
	return message
}
