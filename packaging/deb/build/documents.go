package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// document stages what people read.
func (b *builder) document(stage string) error {
	for _, page := range []string{"gracevisord.8", "gracevisorctl.1", "gracevisor.yaml.5", "gracevisor-dbus.5"} {
		if err := b.compressFile(filepath.Join("packaging/man", page), filepath.Join(stage, page+".gz")); err != nil {
			return err
		}
	}
	if err := b.compressFile("CHANGELOG.md", filepath.Join(stage, "changelog.gz")); err != nil {
		return err
	}
	if err := compress(b.debianChangelog(), filepath.Join(stage, "changelog.Debian.gz")); err != nil {
		return err
	}
	text, err := b.copyright(stage)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(stage, "copyright"), text, 0o644)
}

// debianChangelog is that of the packaging (deb-changelog(5)), which changes
// with the software.
func (b *builder) debianChangelog() []byte {
	return fmt.Appendf(nil, `gracevisor (%s-1) unstable; urgency=medium

  * Made of commit %s; changelog.gz tells what has changed.

 -- %s  %s
`, b.version.text, b.version.commit, b.maintainer, b.version.time.Format(time.RFC1123Z))
}

func (b *builder) compressFile(from, to string) error {
	text, err := os.ReadFile(filepath.Join(b.root, from))
	if err != nil {
		return err
	}
	return compress(text, to)
}

// compress writes what gzip -9n would: without name and time.
func compress(text []byte, path string) error {
	var buffer bytes.Buffer
	w, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, buffer.Bytes(), 0o644)
}
