package harness

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"gracevisor/internal/config"
	"gracevisor/test/events"
)

// App is one app of a configuration.
type App struct {
	Name string
	// Port is its external port, on localhost.
	Port int
	keys map[string]any
}

// App makes an app that runs the test app with the flags given. It speaks
// HTTP, and its external port is one that nobody has.
func (b *Box) App(name string, flags ...string) App {
	b.t.Helper()
	path, err := Binary("testapp")
	if err != nil {
		b.t.Fatal(err)
	}
	words := []string{path}
	own := func(flag string) bool {
		return strings.HasPrefix(flag, "--port=") || strings.HasPrefix(flag, "--socket=")
	}
	if !slices.ContainsFunc(flags, own) {
		words = append(words, "--port={port}")
	}
	for _, flag := range flags {
		words = append(words, "'"+strings.ReplaceAll(flag, "'", `'\''`)+"'")
	}
	return b.Command(name, strings.Join(words, " ")).
		With("environment", []string{events.Env + "=" + b.path("events")})
}

// TCPApp makes an app that runs the test app in its TCP mode.
func (b *Box) TCPApp(name string, flags ...string) App {
	b.t.Helper()
	return b.App(name, append([]string{"--mode=tcp"}, flags...)...).With("proxy", "tcp")
}

// Command makes an app that runs a command of its own.
func (b *Box) Command(name, command string) App {
	port := b.Port()
	return App{Name: name, Port: port, keys: map[string]any{
		"name": name, "command": command, "external_port": port,
	}}
}

// With returns the app with a key of the configuration set, as
// "user.username". A nil value leaves the key out.
func (a App) With(key string, value any) App {
	a.keys = maps.Clone(a.keys)
	a.keys[key] = value
	return a
}

// Address is where the app's clients connect.
func (a App) Address() string { return fmt.Sprintf("127.0.0.1:%d", a.Port) }

// Set sets a key of the daemon, as "port_range.from", in configurations that
// are written later. A nil value leaves the key out.
func (b *Box) Set(key string, value any) { b.settings[key] = value }

// Configure writes a gracevisor.yaml with the apps. Ports and folders of the
// daemon are those of the Box, if Set has not said otherwise.
func (b *Box) Configure(apps ...App) {
	b.t.Helper()
	from, to := b.InternalPorts()
	keys := map[string]any{
		"port_range.from": from, "port_range.to": to,
		"rpc.port": b.RPCPort, "logger.log_dir": b.LogDir,
	}
	maps.Copy(keys, b.settings)
	top := nest(keys)
	list := make([]map[string]any, len(apps))
	for i, app := range apps {
		list[i] = nest(app.keys)
	}
	if len(list) > 0 {
		top["apps"] = list
	}
	text, err := yaml.Marshal(top)
	if err != nil {
		b.t.Fatalf("write configuration: %v", err)
	}
	b.WriteConfig(string(text))
}

// WriteConfig writes a gracevisor.yaml, be it a right or a wrong one.
func (b *Box) WriteConfig(text string) {
	b.t.Helper()
	b.WriteFile(filepath.Join("conf", config.FileName), text)
}

// nest turns keys with dots into maps in maps.
func nest(keys map[string]any) map[string]any {
	top := make(map[string]any)
	for key, value := range keys {
		if value == nil {
			continue
		}
		words := strings.Split(key, ".")
		at := top
		for _, word := range words[:len(words)-1] {
			below, ok := at[word].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[word] = below
			}
			at = below
		}
		at[words[len(words)-1]] = value
	}
	return top
}
