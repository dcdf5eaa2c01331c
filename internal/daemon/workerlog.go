package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
)

// maxLogLine bounds a line of a worker's log.
const maxLogLine = 64 << 10

// relayLog takes a worker's log, JSON lines, into the daemon's. Other lines, as
// the runtime writes when a process panics, are told as they are.
func relayLog(log *slog.Logger, from io.ReadCloser) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, maxLogLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			relayLine(log, line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

func relayLine(log *slog.Logger, line []byte) {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		if text := string(trimEnd(line)); text != "" {
			log.Error("worker says", "text", text)
		}
		return
	}
	var level slog.Level
	if text, ok := fields[slog.LevelKey].(string); !ok || level.UnmarshalText([]byte(text)) != nil {
		level = slog.LevelInfo
	}
	message, _ := fields[slog.MessageKey].(string)
	var attrs []slog.Attr
	for key, value := range fields {
		if key != slog.LevelKey && key != slog.MessageKey && key != slog.TimeKey {
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	log.LogAttrs(context.Background(), level, message, attrs...)
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
