package vm

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// kernel is one that was unpacked: its image, and its modules by name.
type kernel struct {
	release string
	image   string
	modules map[string]string
}

// needed are the modules without which there is no root file system. Those that
// they depend on come with them.
var needed = []string{"virtio_pci", "virtio_blk", "ext4", "crc32c_generic"}

var imagePackage = regexp.MustCompile(`linux-image-([0-9][^ \n]*-cloud-amd64)`)

// getKernel unpacks Debian's current kernel for virtual machines into the cache,
// if it is not there.
func getKernel(cache string) (*kernel, error) {
	said, err := exec.Command("apt-cache", "depends", "linux-image-cloud-amd64").Output()
	match := imagePackage.FindSubmatch(said)
	if err != nil || match == nil {
		return nil, fmt.Errorf("find a kernel: %w; apt-cache says %q", err, said)
	}
	release := string(match[1])
	dir := filepath.Join(cache, release)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := unpackKernel(cache, "linux-image-"+release, dir); err != nil {
			return nil, fmt.Errorf("get kernel %s: %w", release, err)
		}
	}
	k := &kernel{release: release, image: filepath.Join(dir, "boot/vmlinuz-"+release), modules: make(map[string]string)}
	err = filepath.WalkDir(filepath.Join(dir, "lib/modules"), func(path string, entry fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(entry.Name(), ".ko"); ok {
			k.modules[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	return k, err
}

func unpackKernel(cache, name, dir string) error {
	temp, err := os.MkdirTemp(cache, "partial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	download := exec.Command("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name)
	download.Dir = temp
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get: %w\n%s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get has left %q: %w", debs, err)
	}
	unpacked := filepath.Join(temp, "unpacked")
	if out, err := exec.Command("dpkg-deb", "--extract", debs[0], unpacked).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg-deb: %w\n%s", err, out)
	}
	return os.Rename(unpacked, dir)
}

// order lists the files of modules and of what they depend on, which comes first.
// What is missing is built into the kernel.
func (k *kernel) order(names []string) (files []string, err error) {
	seen := make(map[string]bool)
	var add func(name string) error
	add = func(name string) error {
		name = strings.ReplaceAll(name, "-", "_")
		file := k.modules[name]
		if seen[name] || file == "" {
			return nil
		}
		seen[name] = true
		below, err := dependencies(file)
		if err != nil {
			return err
		}
		for _, other := range below {
			if err := add(other); err != nil {
				return err
			}
		}
		files = append(files, file)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// dependencies reads what a module says of itself: "depends=mbcache,jbd2".
func dependencies(file string) ([]string, error) {
	module, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer module.Close()
	section := module.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s says nothing of itself", file)
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range bytes.SplitSeq(data, []byte{0}) {
		if list, ok := bytes.CutPrefix(entry, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(string(list), ","), nil
		}
	}
	return nil, nil
}
