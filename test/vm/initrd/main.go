package main

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	// Returning would be a kernel panic, which ends the machine as well.
	fmt.Println("initrd:", run())
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	if err := loadModules(); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll("/dev", 0o755), os.MkdirAll("/root", 0o755)); err != nil {
		return err
	}
	if err := unix.Mount("devtmpfs", "/dev", "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	if err := await("/dev/vda", "/dev/vdb"); err != nil {
		return err
	}
	if err := unix.Mount("/dev/vda", "/root", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	if err := unpack("/dev/vdb", "/root"); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return switchRoot()
}

func loadModules() error {
	modules, err := filepath.Glob("/modules/*.ko")
	if err != nil {
		return err
	}
	slices.Sort(modules)
	for _, module := range modules {
		f, err := os.Open(module)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", module, err)
		}
	}
	return nil
}

// await waits for devices, which come a moment after their driver.
func await(devices ...string) error {
	const patience = time.Minute
	deadline := time.Now().Add(patience)
	for _, device := range devices {
		for {
			if _, err := os.Stat(device); err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("there is no %s", device)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// unpack takes folders, files and links out of an archive.
func unpack(device, root string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer f.Close()
	archive := tar.NewReader(bufio.NewReaderSize(f, 1<<20))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(root, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if header.Typeflag == tar.TypeSymlink {
			err = os.Symlink(header.Linkname, path)
		} else {
			err = write(path, archive, header.FileInfo().Mode())
		}
		if err != nil {
			return err
		}
	}
}

func write(path string, from io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

func switchRoot() error {
	if err := unix.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount("/dev", "dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /dev: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return fmt.Errorf("execute systemd: %w", unix.Exec("/lib/systemd/systemd", []string{"/sbin/init"}, []string{"TERM=dumb"}))
}
