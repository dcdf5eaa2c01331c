package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Spec says what to run. It reaches the launch role through a sealed memfd and
// never through argv or the launcher's environment, which others can see.
type Spec struct {
	// Name is APP/NUMBER ("demo/7"): it names the instance in errors, becomes
	// GRACEVISOR_INSTANCE, and its part before the slash GRACEVISOR_APP.
	Name string
	// Argv are the words of the command with placeholders already replaced
	// (see Expand). A first word with a slash is used as it is; any other is
	// looked up in the PATH of the app's environment.
	Argv []string
	// Env is the app's own environment, NAME=value each. It is appended to
	// the base environment (see baseEnvironment); of equal names the last
	// one counts.
	Env []string
	// Dir is the working directory; empty means the daemon's.
	Dir string
	// User is a user's name or number, looked up at each start; empty means
	// the daemon's own user.
	User string
	// Umask is set as it is: the zero value lets the app make files that all
	// may write.
	Umask int
	// Stdout and Stderr become the app's; nil means /dev/null. They are made
	// blocking, as apps expect them, which concerns every process that shares
	// the open file description. They stay the caller's to close.
	Stdout, Stderr *os.File
	// Leaf is the cgroup that the instance lives in, or nil. It is removed with
	// the last process in it.
	Leaf *Leaf
	// Limits are for whoever makes the leaf.
	Limits Limits
}

// maxWords bounds the words of a Spec together. The kernel takes no more than
// 6 MiB whatever the limits are (execve(2)).
const maxWords = 6 << 20

// check finds what no launcher could run.
func (s *Spec) check() error {
	switch {
	case s.Name == "":
		return errors.New("start instance: it has no name")
	case len(s.Argv) == 0 || s.Argv[0] == "":
		return fmt.Errorf("start %s: the command is empty", s.Name)
	case s.Umask < 0 || s.Umask > 0o777:
		return fmt.Errorf("start %s: umask %#o is not between 0 and 0777", s.Name, s.Umask)
	}
	for _, entry := range s.Env {
		if strings.IndexByte(entry, '=') < 1 {
			// The text could be a secret whose name was lost: not quoted.
			return fmt.Errorf("start %s: an environment entry is not NAME=value", s.Name)
		}
	}
	size := 0
	for _, word := range slices.Concat([]string{s.Name, s.Dir, s.User}, s.Argv, s.Env) {
		if size += len(word); size > maxWords {
			return fmt.Errorf("start %s: command and environment are too long (over %d bytes)", s.Name, maxWords)
		}
		if strings.IndexByte(word, 0) >= 0 {
			return fmt.Errorf("start %s: a word of command, environment, directory or user contains a NUL byte", s.Name)
		}
	}
	return nil
}

// Expand returns words with {port} and {socket} replaced wherever they occur.
// A port of 0 and an empty socket stand for "has none": their placeholders stay
// as they are. The argument is not changed.
func Expand(words []string, port int, socket string) []string {
	var pairs []string
	if port != 0 {
		pairs = append(pairs, "{port}", strconv.Itoa(port))
	}
	if socket != "" {
		pairs = append(pairs, "{socket}", socket)
	}
	replacer := strings.NewReplacer(pairs...)
	expanded := make([]string, len(words))
	for i, word := range words {
		expanded[i] = replacer.Replace(word)
	}
	return expanded
}
