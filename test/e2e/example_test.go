package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gracevisor/test/harness"
)

// TestExample starts the configuration that every user tries first, with other
// ports: all its apps are served and can be restarted. As another user than
// root it is told what needs root and how to go on, and after that it works.
func TestExample(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	root := repository(t)
	app := buildDemo(t, root, box.Dir)
	ports := map[string]string{"9001": strconv.Itoa(box.RPCPort), "8081": strconv.Itoa(box.Port())}
	demo := strconv.Itoa(box.Port())
	from, to := box.InternalPorts()
	for _, name := range []string{"gracevisor.yaml", "everything.yaml"} {
		text := readFile(t, filepath.Join(root, "conf", name))
		if os.Getuid() != 0 {
			text = regexp.MustCompile(`(?m)^user:\n +username: .*\n`).ReplaceAllString(text, "")
		}
		text = strings.NewReplacer("../demoapp/demoapp --port={port}", app+" --port={port}", "../log", box.LogDir,
			"directory: ..", "directory: "+box.Dir, `["../conf"]`, `["`+box.ConfDir+`"]`,
			"from: 10000", "from: "+strconv.Itoa(from), "to: 11000", "to: "+strconv.Itoa(to)).Replace(text)
		for port, own := range ports {
			text = regexp.MustCompile(`(?m): `+port+`$`).ReplaceAllString(text, ": "+own)
		}
		if name == "gracevisor.yaml" {
			text += "\n      external_port: " + demo + "\n" // the default is 8080
		}
		box.WriteFile(filepath.Join("conf", name), text)
	}
	if r := box.Run("--check"); r.Status != 0 || r.Stdout != "configuration is valid: 2 apps\n" {
		t.Errorf("check: %s", r)
	}
	box.Start()
	box.AwaitServing("demo", "everything")
	box.Must("restart", "demo", "everything")
	box.Must("reload")
	for _, port := range []string{demo, ports["8081"]} {
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		if a := get(t, harness.App{Name: port, Port: number}, "/"); a.status != 200 {
			t.Errorf("the app on port %s answers %+v", port, a)
		}
	}
	for _, log := range []string{"app_demo.out", "everything.out", "everything.access.log", "gracevisor.log"} {
		path := filepath.Join(box.LogDir, log)
		box.Await("something in "+log, func() bool { return readFile(t, path) != "" })
	}
}

// repository is the folder of the sources.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// buildDemo builds the demo app, where any user may run it.
func buildDemo(t *testing.T, root, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "demoapp")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "./demoapp")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the demo app: %v\n%s", err, out)
	}
	return path
}

// TestCheckLeavesNoTrace checks a right configuration whose folders are not
// there yet, as another user if it can: none is made, and no port is bound.
func TestCheckLeavesNoTrace(t *testing.T) {
	t.Parallel()
	options := harness.Options{}
	if os.Getuid() == 0 {
		options.UID = 1 // the account daemon
	}
	box := harness.NewWith(t, options)
	taken := box.App("demo").With("logger.log_file", filepath.Join(box.Dir, "made", "app.log"))
	listener, err := net.Listen("tcp", taken.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	box.Set("logger.log_dir", filepath.Join(box.Dir, "made", "log"))
	box.Configure(taken)
	before := tree(t, box.Dir)
	if r := box.Run("--check"); r.Status != 0 {
		t.Errorf("check: %s", r)
	}
	// What it has said is kept by the harness.
	if after := strings.Replace(tree(t, box.Dir), filepath.Join(box.Dir, "daemon.out")+"\n", "", 1); after != before {
		t.Errorf("a check has left something; before:\n%s\nafter:\n%s", before, after)
	}
}

// tree lists a folder with all that is below it.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// TestWithoutRPC turns the TCP door off, at the start and by an update, and has
// its port taken by a stranger for a while.
func TestWithoutRPC(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo")
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(box.RPCPort))
	open := func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	box.Set("rpc.port", 0)
	box.Configure(app)
	box.Start()
	box.AwaitServing("demo")
	if open() {
		t.Error("rpc.port: 0 leaves the TCP door open")
	}
	stranger, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	box.Set("rpc.port", box.RPCPort)
	box.Configure(app)
	box.Must("update") // the apps do not depend on it
	box.Await("the reason to be told", func() bool { return strings.Contains(box.DaemonOutput(), "cannot open rpc address") })
	stranger.Close()
	box.Must("update")
	box.Await("the door to open", open)
	box.Set("rpc.port", 0)
	box.Configure(app)
	box.Must("update")
	box.Await("the door to be shut", func() bool { return !open() })
	box.Set("rpc.port", box.RPCPort)
	box.Set("rpc.host", "0.0.0.0")
	box.Configure(app)
	if r := box.Want(1, "update"); !strings.Contains(r.Stderr, "allow_plaintext") {
		t.Errorf("an address that is not a loopback one: %s", r)
	}
}
