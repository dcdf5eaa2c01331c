package vm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gracevisor/test/systemd/machine"
)

// wantedEnv makes the test boot a virtual machine; `make test-vm` sets it.
const wantedEnv = "GRACEVISOR_VM"

// top is the folder of go.mod.
const top = "../.."

func TestMain(m *testing.M) { os.Exit(machine.Main(m)) }

// TestVM boots the machine, and holds that all tests pass in it.
func TestVM(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("it is run by make test-vm")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: the machine is an amd64")
	}
	cache, err := filepath.Abs(top + "/.cache/vm")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	k, err := getKernel(cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Linux %s", k.release)
	dir := t.TempDir()
	prepare(t, k, dir)
	run(t, k, dir)
}

// prepare makes the files of the machine.
func prepare(t *testing.T, k *kernel, dir string) {
	t.Helper()
	goTool(t, "build", "-o", dir+"/init", "gracevisor/test/vm/initrd")
	goTool(t, "build", "-o", dir+"/testapp", "gracevisor/test/testapp")
	goTool(t, "test", "-c", "-o", dir+"/guest.test", "gracevisor/test/vm/guest")
	goTool(t, "run", "./packaging/deb/build", "-format=deb", "-arch=amd64", "-out="+dir)
	modules, err := k.order(needed)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeInitrd(dir+"/initrd", dir+"/init", modules); err != nil {
		t.Fatal(err)
	}
	if err := writeRoot(dir+"/root.img", machine.Root(t)); err != nil {
		t.Fatal(err)
	}
	content := payload{
		files: map[string]string{
			"root/gracevisor.deb":   filepath.Join(dir, "gracevisor_1.0.0-1_amd64.deb"),
			"root/guest.test":       dir + "/guest.test",
			"usr/local/bin/testapp": dir + "/testapp",
		},
		texts: map[string]string{"etc/systemd/system/guest.service": guestUnit},
		links: map[string]string{"etc/systemd/system/multi-user.target.wants/guest.service": "../guest.service"},
	}
	if err := content.write(dir + "/payload.tar"); err != nil {
		t.Fatal(err)
	}
}

// guestUnit runs the tests inside, says how they ended, and powers off.
const guestUnit = `[Unit]
Description=Tests
After=multi-user.target systemd-user-sessions.service
[Service]
Type=oneshot
Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GRACEVISOR_GUEST=1
WorkingDirectory=/root
ExecStart=/bin/sh -c '/root/guest.test -test.v -test.timeout=10m; echo "guest: exit status $$?"'
ExecStopPost=/usr/bin/systemctl --no-block poweroff
TimeoutStartSec=infinity
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
`

func goTool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "VERSION=1.0.0", "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, out)
	}
}

// deadMan bounds a run, which takes a minute or two on an emulated processor.
const deadMan = 15 * time.Minute

// run boots the machine, and passes on what comes from its console.
func run(t *testing.T, k *kernel, dir string) {
	t.Helper()
	// The parent-death signal comes when the thread that cloned dies.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1G",
		"-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", k.image, "-initrd", dir+"/initrd", "-append", "console=ttyS0 quiet panic=-1 systemd.show_status=0",
		"-drive", "file="+dir+"/root.img,format=raw,if=virtio,cache=unsafe",
		"-drive", "file="+dir+"/payload.tar,format=raw,if=virtio,readonly=on")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	console, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(deadMan, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	passed := passOn(t, console)
	err = cmd.Wait()
	if err != nil || !passed {
		t.Errorf("the tests in the machine have not passed: %v\n%s", err, complaints.String())
	}
}

// passOn prints the lines of the console, and reports whether one says that all
// went well.
func passOn(t *testing.T, console io.Reader) (passed bool) {
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		fmt.Println(line)
		passed = passed || strings.Contains(line, "guest: exit status 0")
	}
	return passed
}
