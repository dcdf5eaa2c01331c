package logs

import (
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"
)

// unlimited, in megabytes, is a size that no log file reaches.
const unlimited = 1 << 40

// A lumberjack.Logger starts a goroutine with its first file which nothing
// ends. So Loggers are never thrown away: those whose file is closed wait here
// for the next file, and there are never more of them, and of their goroutines,
// than log files were open at the same time. The list is the process's,
// because the goroutines are.
var spare struct {
	mu      sync.Mutex
	loggers []*lumberjack.Logger
}

// takeLogger returns a Logger for the file called name. It neither rotates nor
// removes anything on its own. Only Filename ever changes in a Logger: its
// goroutine reads the other fields without a lock, but not that one as long as
// they ask for nothing.
func takeLogger(name string) *lumberjack.Logger {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	n := len(spare.loggers)
	if n == 0 {
		return &lumberjack.Logger{Filename: name, MaxSize: unlimited}
	}
	logger := spare.loggers[n-1]
	spare.loggers[n-1] = nil
	spare.loggers = spare.loggers[:n-1]
	logger.Filename = name
	return logger
}

// giveLogger takes a Logger back whose file is closed.
func giveLogger(logger *lumberjack.Logger) {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	spare.loggers = append(spare.loggers, logger)
}
