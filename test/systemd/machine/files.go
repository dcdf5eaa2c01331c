package machine

import (
	"os"
	"path/filepath"
)

// Write makes or replaces a file of the machine, and the folders above it.
func (m *Machine) Write(path, text string) {
	m.t.Helper()
	m.install(path, text, "0644")
}

// Copy copies a file of the host into the machine. An executable stays one.
func (m *Machine) Copy(from, to string) {
	m.t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		m.t.Fatal(err)
	}
	mode := "0644"
	if info.Mode()&0o111 != 0 {
		mode = "0755"
	}
	m.install(to, string(text), mode)
}

// install replaces the file as dpkg would: a running program keeps the old one.
func (m *Machine) install(path, text, mode string) {
	m.t.Helper()
	if result := m.TryInput(text, "install", "-D", "-m", mode, "/dev/stdin", path+".new"); result.Code != 0 {
		m.t.Fatal(result)
	}
	m.Run("mv", "-T", path+".new", path)
}

// Read returns the content of a file of the machine.
func (m *Machine) Read(path string) string {
	m.t.Helper()
	return m.Run("cat", path)
}

// Exists reports whether the machine has a file, folder or link of this path.
func (m *Machine) Exists(path string) bool {
	return m.Try("test", "-e", path, "-o", "-L", path).Code == 0
}

// Glob returns the paths in the machine that match a pattern of the shell.
func (m *Machine) Glob(pattern string) []string {
	m.t.Helper()
	dir, base := filepath.Split(pattern)
	return lines(m.Shell("[ -d '" + dir + "' ] || exit 0; find '" + dir + "' -maxdepth 1 -name '" + base + "'"))
}
