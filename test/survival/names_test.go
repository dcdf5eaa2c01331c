package survival

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gracevisor/internal/control"
	"gracevisor/test/harness"
	"gracevisor/test/unavailable"
)

// named is the host at which the web app is reached.
const named = "web.gracevisor.test"

// Where the daemons of these tests ask for names: nobody, or one who does not
// answer. They are two, as the tests run side by side.
const (
	noNameServer     = "127.83.0.1"
	silentNameServer = "127.83.0.2"
)

// withHosts is the program that a daemon is started by: it sees the files of a
// test in the place of /etc/hosts and /etc/resolv.conf.
const withHosts = `#!/bin/sh
exec unshare --mount sh -euc 'mount --bind "$1" /etc/hosts
	[ ! -e /etc/resolv.conf ] || mount --bind "$2" /etc/resolv.conf
	shift 2
	exec "$@"' sh '%s' '%s' '%s' "$@"
`

// atName makes a scene whose web app is reached at a host name, and returns what
// gives that an address, or none: then a name server is asked.
func atName(t *testing.T, server string) (s *scene, name func(address string)) {
	t.Helper()
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		unavailable.Kernel(t, fmt.Sprintf("no mount namespace is to be had: %v: %s", err, out))
	}
	binary, err := harness.Binary("gracevisord")
	if err != nil {
		t.Fatal(err)
	}
	s = prepare(t)
	s.web = s.web.With("external_host", named)
	s.Configure(s.web, s.line)
	hosts, servers := filepath.Join(s.Dir, "hosts"), filepath.Join(s.Dir, "resolv.conf")
	write := func(path, text string) { // in place: it is mounted
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	name = func(address string) {
		t.Helper()
		text := "127.0.0.1 localhost\n"
		if address != "" {
			text += address + " " + named + "\n"
		}
		write(hosts, text)
	}
	name("127.0.0.1")
	write(servers, "nameserver "+server+"\n")
	s.OwnBinary()
	starter := filepath.Join(s.Dir, "with-hosts")
	write(starter, fmt.Sprintf(withHosts, hosts, servers, binary))
	s.ReplaceBinary(starter)
	s.service = s.Serve()
	s.begin()
	return s, name
}

// TestNameGone: the daemon is re-executed and killed while the host of an app has
// no address. When it has one again, another, the app is reached there.
func TestNameGone(t *testing.T) {
	t.Parallel()
	s, name := atName(t, noNameServer)
	pids, before := s.pids(), s.holds(s.Status().PID)
	report := s.under("re-exec and kill -9, the name is gone", s.steady(), func() {
		name("")
		for range times(2, 10) {
			s.Must("reexec")
			s.service.Crash()
			s.AwaitAnswer()
			s.AwaitApp(web, "be told that its name is gone", func(a control.AppStatus) bool { return a.ListenError != "" })
		}
	})
	s.unbroken(report)
	s.samePIDs(pids)
	s.asBefore(before)
	name("127.0.0.2")
	s.AwaitApp(web, "be found", func(a control.AppStatus) bool { return a.ListenError == "" })
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", s.web.Port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestNameServerSilent: the daemon is re-executed and killed while who knows the
// host of an app does not answer. Nothing waits for that: both apps are restarted
// meanwhile.
func TestNameServerSilent(t *testing.T) {
	t.Parallel()
	s, name := atName(t, silentNameServer)
	silent, err := net.ListenPacket("udp", silentNameServer+":53")
	if err != nil {
		unavailable.Kernel(t, fmt.Sprintf("no port for a name server is to be had: %v", err))
	}
	defer silent.Close()
	report := s.under("re-exec and kill -9, no name server answers", s.passing(), func() {
		name("")
		for range times(1, 5) {
			s.Must("reexec")
			s.Must("restart", web, line)
			s.service.Crash()
			s.AwaitAnswer()
			s.Must("restart", web, line)
		}
	})
	s.unharmed(report)
}
