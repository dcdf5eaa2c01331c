package vm

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// writeInitrd writes an archive in the form that the kernel unpacks (cpio,
// "newc"): the first program, and modules numbered in their order.
func writeInitrd(path, init string, modules []string) error {
	var archive bytes.Buffer
	add := func(name string, mode int, data []byte) {
		// Magic, inode, mode, uid, gid, links, time, size, four device
		// numbers, size of the name, checksum.
		fmt.Fprintf(&archive, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		archive.WriteString(name + "\x00")
		pad(&archive)
		archive.Write(data)
		pad(&archive)
	}
	add("modules", 0o040755, nil)
	program, err := os.ReadFile(init)
	if err != nil {
		return err
	}
	add("init", 0o100755, program)
	for i, module := range modules {
		data, err := os.ReadFile(module)
		if err != nil {
			return err
		}
		add(fmt.Sprintf("modules/%03d.ko", i), 0o100644, data)
	}
	add("TRAILER!!!", 0, nil)
	return os.WriteFile(path, archive.Bytes(), 0o644)
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// rootSize is that of the root file system's image, which is sparse.
const rootSize = "2G"

// writeRoot makes an image of a root file system.
func writeRoot(path, root string) error {
	out, err := exec.Command("/sbin/mkfs.ext4", "-q", "-O", "^has_journal", "-d", root, path, rootSize).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4: %w\n%s", err, out)
	}
	return nil
}

// payload is what is unpacked over the root file system: paths in the machine.
type payload struct {
	files map[string]string // of the host
	texts map[string]string
	links map[string]string
}

func (p payload) write(path string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(out)
	for name, file := range p.files {
		data, readErr := os.ReadFile(file)
		info, statErr := os.Stat(file)
		if err := errors.Join(readErr, statErr); err != nil {
			return errors.Join(err, out.Close())
		}
		err = errors.Join(err, addFile(archive, name, data, int64(info.Mode().Perm())))
	}
	for name, text := range p.texts {
		err = errors.Join(err, addFile(archive, name, []byte(text), 0o644))
	}
	for name, target := range p.links {
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}))
	}
	err = errors.Join(err, archive.Close())
	// A drive has whole sectors.
	if info, statErr := out.Stat(); statErr == nil {
		err = errors.Join(err, out.Truncate((info.Size()+4095)&^4095))
	}
	return errors.Join(err, out.Close())
}

func addFile(archive *tar.Writer, name string, data []byte, mode int64) error {
	err := archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: filepath.Clean(name), Size: int64(len(data)), Mode: mode,
	})
	if err != nil {
		return err
	}
	_, err = archive.Write(data)
	return err
}
