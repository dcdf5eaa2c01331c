package conventions

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "gracevisor/"

// floors are those of ARCHITECTURE.md, from the ground. A package imports
// packages of lower floors, and its own subpackages.
var floors = map[string]int{
	"internal/version": 0,

	"internal/activation": 1,
	"internal/config":     1,
	"internal/control":    1,
	"internal/logs":       1,
	"internal/process":    1,
	"internal/wire":       1,

	"internal/bus":                  2,
	"internal/proxy":                2,
	"internal/proxy/handoff":        2,
	"internal/proxy/http1":          2,
	"internal/socketunit":           2,
	"internal/supervisor":           2,
	"internal/supervisor/lifecycle": 2,

	"internal/daemon": 3,
	"internal/worker": 3,

	"cmd/gracevisor-generator": 4,
	"cmd/gracevisorctl":        4,
	"cmd/gracevisord":          4,
}

// strangers are packages of ours that a package must not import though they
// are below it: what the two towers, and the two processes that are built on
// them, must not know of each other. "*" with exceptions is for the proxy,
// which knows tables and connections and nothing else.
var strangers = map[string][]string{
	"internal/daemon":        {"internal/proxy", "internal/proxy/handoff", "internal/proxy/http1"},
	"internal/worker":        {"internal/supervisor", "internal/config", "internal/control", "internal/logs", "internal/activation"},
	"internal/proxy":         {"internal/config", "internal/control", "internal/logs", "internal/activation", "internal/process", "internal/version"},
	"internal/proxy/handoff": {"internal/wire", "internal/config", "internal/control", "internal/logs", "internal/activation", "internal/process", "internal/version"},
	"internal/proxy/http1":   {"internal/wire", "internal/config", "internal/control", "internal/logs", "internal/activation", "internal/process", "internal/version"},
	"cmd/gracevisorctl":      {"internal/daemon", "internal/worker", "internal/supervisor", "internal/proxy", "internal/config"},
}

// libraries are used by one package, which shields the others from them.
var libraries = map[string]string{
	"gopkg.in/yaml.v3":                 "internal/config",
	"gopkg.in/natefinch/lumberjack.v2": "internal/logs",
	"github.com/godbus/dbus/v5":        "internal/bus",
}

// imports complains about an import that a file of the product may not have.
func imports(s source) []string {
	if !s.product() || s.isTest() {
		return nil
	}
	own, known := floors[s.folder()]
	if !known {
		return []string{s.folder() + " is on no floor: name one in test/conventions, and in ARCHITECTURE.md"}
	}
	var complaints []string
	for _, spec := range s.file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if owner, ok := libraries[path]; ok && owner != s.folder() {
			complaints = append(complaints, s.path+" imports "+path+", which is for "+owner+" only")
		}
		folder, ours := strings.CutPrefix(path, module)
		if !ours {
			continue
		}
		floor, known := floors[folder]
		below := known && floor < own
		inside := strings.HasPrefix(folder, s.folder()+"/")
		if !(below || inside) || slices.Contains(strangers[s.folder()], folder) {
			complaints = append(complaints, s.path+" must not import "+folder)
		}
	}
	return complaints
}

func TestImports(t *testing.T) {
	report(t, imports)
	importing := func(folder, path string) {
		t.Helper()
		sees(t, folder+"/x.go", "package x\n\nimport _ \""+path+"\"\n", imports)
	}
	importing("internal/wire", module+"internal/config")
	importing("internal/proxy", module+"internal/supervisor")
	importing("internal/supervisor", module+"internal/proxy")
	importing("internal/proxy", module+"internal/process")
	importing("internal/supervisor/lifecycle", module+"internal/supervisor")
	importing("internal/daemon", module+"test/harness")
	importing("internal/daemon", "gopkg.in/yaml.v3")
	importing("internal/daemon", "github.com/godbus/dbus/v5")
	importing("internal/unheard-of", "fmt")
}

// unlinked is what the data plane must not even link: it would be of use to
// who has broken in, or a sign that it does what is not its business.
var unlinked = []string{"os/exec", "gopkg.in/yaml.v3", "github.com/godbus/dbus/v5", "github.com/spf13/cobra", "plugin", "net/rpc", "runtime/cgo"}

func TestWhatTheProxyLinks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./internal/proxy")
	cmd.Dir = root()
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "syscall") {
		t.Fatalf("it links nothing at all: %q", linked)
	}
	for _, path := range linked {
		ours, isOurs := strings.CutPrefix(path, module)
		if slices.Contains(unlinked, path) || (isOurs && !slices.Contains([]string{"internal/proxy", "internal/proxy/handoff", "internal/proxy/http1", "internal/wire"}, ours)) {
			t.Errorf("the data plane links %s", path)
		}
	}
}
