package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gracevisor/internal/config"
	"gracevisor/internal/socketunit"
)

// dropIn is where the addresses go, below the normal directory of generators.
// gracevisor.socket has it for a condition.
const dropIn = "gracevisor.socket.d/50-gracevisor.conf"

// A generator is one run.
type generator struct {
	// conf is the directory of gracevisor.yaml.
	conf string
	// state is where the daemon saves the list of the plan in force, and
	// thisBoot where the generator keeps its own.
	state, thisBoot string
	ipv6            bool
	// tell tells one line.
	tell func(message string)
}

// run writes the drop-in below dir. What goes wrong is told.
func (g *generator) run(dir string) {
	addresses, err := g.addresses()
	if err != nil {
		g.tell(err.Error())
	}
	if len(addresses) == 0 {
		return
	}
	if err := write(filepath.Join(dir, dropIn), g.text(addresses)); err != nil {
		g.tell("cannot write the addresses of gracevisor.socket: " + err.Error())
	}
}

// addresses are those of the configuration, or, with an error, the last that
// there were.
func (g *generator) addresses() ([]string, error) {
	plan, err := config.Load(g.conf)
	if err == nil {
		addresses := socketunit.Addresses(plan, g.ipv6)
		return addresses, g.keep(addresses)
	}
	const broken = "the configuration is not valid: %v; %s (gracevisord --check tells more)"
	for _, dir := range []string{g.thisBoot, g.state} {
		last, lastErr := socketunit.Load(dir)
		if lastErr == nil {
			return last, fmt.Errorf(broken, err, fmt.Sprintf("gracevisor.socket keeps its last addresses (%d)", len(last)))
		}
		if !errors.Is(lastErr, fs.ErrNotExist) {
			err = fmt.Errorf("%w; %w", err, lastErr)
		}
	}
	return nil, fmt.Errorf(broken, err, "gracevisor.socket listens on nothing")
}

// keep saves the list of a good configuration for a daemon-reload that finds a
// broken one. It survives no boot: for that the daemon saves its own, because
// the file system that is for it may not be there yet, and is read-only to
// generators.
func (g *generator) keep(addresses []string) error {
	err := os.MkdirAll(g.thisBoot, 0o755)
	if err == nil {
		err = socketunit.Save(g.thisBoot, addresses)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the addresses of gracevisor.socket: %w", err)
	}
	return nil
}

// text is the drop-in. The empty assignment takes back what the unit has to
// name because a socket unit without any address is refused.
func (g *generator) text(addresses []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written by gracevisor-generator from %s.
# Changes are lost at the next boot or daemon-reload.

[Socket]
ListenStream=
`, filepath.Join(g.conf, config.FileName))
	for _, address := range addresses {
		b.WriteString(socketunit.Setting(address) + "\n")
	}
	return b.String()
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
