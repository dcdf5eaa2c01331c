package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDirectoryIsRefused(t *testing.T) {
	root := os.Geteuid() == 0
	const stranger = 54321
	for _, test := range []struct {
		name     string
		needRoot bool
		prepare  func(t *testing.T, folder string)
		want     string // part of the error, or empty
	}{
		{"plain", false, func(t *testing.T, folder string) { must(t, os.Mkdir(folder, 0o755)) }, ""},
		{"missing", false, func(*testing.T, string) {}, ""},
		{"own group", false, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o755))
			must(t, os.Chmod(folder, 0o775))
		}, ""},
		{"everybody", false, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o755))
			must(t, os.Chmod(folder, 0o757))
		}, "lets other users write"},
		{"sticky", false, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o755))
			must(t, os.Chmod(folder, 0o777|os.ModeSticky))
		}, "lets other users write"},
		{"a file", false, func(t *testing.T, folder string) { must(t, os.WriteFile(folder, nil, 0o600)) }, "not a directory"},
		{"own link", false, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder+".real", 0o755))
			must(t, os.Symlink(filepath.Base(folder)+".real", folder))
		}, ""},
		{"own absolute link", false, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder+".real", 0o755))
			must(t, os.Symlink(folder+".real", folder))
		}, ""},
		{"loop", false, func(t *testing.T, folder string) { must(t, os.Symlink(folder, folder)) }, "too many levels"},
		{"another group", true, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o755))
			must(t, os.Chown(folder, 0, stranger))
			must(t, os.Chmod(folder, 0o775))
		}, "lets other users write"},
		{"another user", true, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o755))
			must(t, os.Chown(folder, stranger, 0))
		}, "belongs to user 54321"},
		{"another user's link", true, func(t *testing.T, folder string) {
			must(t, os.Symlink("/etc", folder))
			must(t, os.Lchown(folder, stranger, 0))
		}, "symbolic link \"log\": it belongs to user 54321"},
		{"access list", true, func(t *testing.T, folder string) {
			must(t, os.Mkdir(folder, 0o775))
			must(t, os.Chmod(folder, 0o775))
			setACL(t, folder)
		}, "lets other users write"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.needRoot && !root {
				t.Skip("SKIPPED: files of another user need root")
			}
			folder := filepath.Join(t.TempDir(), "log")
			test.prepare(t, folder)
			dir, err := openDirectory(folder, true)
			if err == nil {
				dir.close()
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), folder) {
				t.Errorf("error %v does not name the directory", err)
			}
		})
	}
}

// setACL gives the user 54321 the right to write (acl(5), the binary form of
// the extended attribute).
func setACL(t *testing.T, folder string) {
	t.Helper()
	list := []byte{2, 0, 0, 0} // version
	for _, e := range [][3]uint16{{1, 7, 0xffff}, {2, 7, 54321}, {4, 5, 0xffff}, {0x10, 7, 0xffff}, {0x20, 5, 0xffff}} {
		id := []byte{0xff, 0xff, 0xff, 0xff}
		if e[2] != 0xffff {
			id = []byte{byte(e[2]), byte(e[2] >> 8), 0, 0}
		}
		list = append(list, byte(e[0]), 0, byte(e[1]), 0)
		list = append(list, id...)
	}
	if err := unix.Setxattr(folder, "system.posix_acl_access", list, 0); err != nil {
		t.Skipf("SKIPPED: the file system has no access control lists: %v", err)
	}
}

func TestDirectoryIsNotMadeForReading(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	if dir, err := openDirectory(folder, false); err == nil {
		dir.close()
		t.Error("a directory that does not exist was opened")
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the directory was made")
	}
}

// TestDirectoryIsHeld puts another directory in the place of one that is open.
func TestDirectoryIsHeld(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	dir, err := openDirectory(folder, true)
	must(t, err)
	defer dir.close()
	must(t, os.Rename(folder, folder+".moved"))
	must(t, os.Symlink("/etc", folder))
	must(t, os.WriteFile(dir.path("app.out"), nil, 0o600))
	if _, err := os.Stat(folder + ".moved/app.out"); err != nil {
		t.Error(err)
	}
}

// TestRefusedFolderIsTold looks at the whole way to the operator.
func TestRefusedFolderIsTold(t *testing.T) {
	f := newFixture(t)
	must(t, os.Mkdir(f.path("open"), 0o755))
	must(t, os.Chmod(f.path("open"), 0o777))
	a := f.app(stdout("demo", 1), Target{Path: "open/app.out"})
	a.say("text\n")
	if n := f.logbook.count("level=ERROR", f.path("open"), "choose a directory below it"); n != 1 {
		t.Errorf("told %d times: %s", n, &f.logbook)
	}
	if _, err := os.Stat(f.path("open/app.out")); err == nil {
		t.Error("the file was made")
	}
}
