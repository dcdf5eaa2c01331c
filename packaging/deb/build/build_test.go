package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVersionOf(t *testing.T) {
	for description, want := range map[string]string{
		"v1.2.3-0-g0123456789":           "1.2.3",
		"v1.2.3-5-g0123456789":           "1.2.3+5.g0123456789",
		"v1.3.0-rc1-0-g0123456789":       "1.3.0~rc1",
		"v1.3.0-rc1-7-g0123456789":       "1.3.0~rc1+7.g0123456789",
		"v1.2.3-0-g0123456789-dirty":     "1.2.3+dirty",
		"v1.2.3-5-g0123456789-dirty":     "1.2.3+5.g0123456789+dirty",
		"v0.0.0-17-gabcdef0123":          "0.0.0+17.gabcdef0123",
		"v1-0-g0123456789":               "1",
		"1.2.3-0-g0123456789":            "",
		"v1.2.3":                         "",
		"v1.2.3_1-0-g0123456789":         "",
		"v1.2.3-rc-1-0-g0123456789":      "",
		"vx-0-g0123456789":               "",
		"v1.2.3\n-0-g0123456789":         "",
		"v1.2.3-0-g0123456789-dirty\nv2": "",
	} {
		got, err := versionOf(description)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", description, got, err, want)
		}
		if got != "" && !legal.MatchString(got) {
			t.Errorf("%q: %q is not legal", description, got)
		}
	}
}

// inOrder are versions of packages, the oldest first.
var inOrder = []string{
	"0.0.0+9.gffffffffff-1", "0.0.0+10.g0000000000-1", "1.2.3~rc1-1", "1.2.3~rc1+2.gffffffffff-1", "1.2.3~rc2-1", "1.2.3-1",
	"1.2.3+9.gffffffffff-1", "1.2.3+9.gffffffffff+dirty-1", "1.2.3+10.g0000000000-1", "1.2.4-1", "1.10.0-1",
}

// TestVersionsSort asks the package managers themselves.
func TestVersionsSort(t *testing.T) {
	dpkg, dpkgErr := exec.LookPath("dpkg")
	if dpkgErr != nil {
		t.Skip("SKIPPED: dpkg is not installed")
	}
	for i, older := range inOrder[:len(inOrder)-1] {
		newer := inOrder[i+1]
		if err := exec.Command(dpkg, "--compare-versions", older, "lt", newer).Run(); err != nil {
			t.Errorf("dpkg: %s is not older than %s: %v", older, newer, err)
		}
	}
	rpm, err := exec.LookPath("rpm")
	if err != nil {
		t.Log("NOT CHECKED with rpm: it is not installed")
		return
	}
	for i, older := range inOrder[:len(inOrder)-1] {
		newer := inOrder[i+1]
		out, err := exec.Command(rpm, "--eval", "%{lua: print(rpm.vercmp('"+older+"', '"+newer+"'))}").Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != "-1" {
			t.Errorf("rpm: %s and %s compare as %s: %v", older, newer, got, err)
		}
	}
}

func TestGivenVersion(t *testing.T) {
	environment := func(version, epoch string) func(string) string {
		return func(name string) string {
			return map[string]string{"VERSION": version, "SOURCE_DATE_EPOCH": epoch}[name]
		}
	}
	v, err := findVersion(t.TempDir(), environment("1.2.3", "1000000000"))
	if err != nil || v.text != "1.2.3" || !v.time.Equal(time.Unix(1e9, 0)) {
		t.Errorf("%+v, %v", v, err)
	}
	for _, c := range [][2]string{{"1.2.3", ""}, {"1.2.3", "now"}, {"v1.2.3", "1"}, {"1.2-3", "1"}, {"1 2", "1"}, {"1/2", "1"}} {
		if v, err := findVersion(t.TempDir(), environment(c[0], c[1])); err == nil {
			t.Errorf("%q is taken: %+v", c, v)
		}
	}
	if _, err := findVersion(t.TempDir(), environment("", "")); err == nil || !strings.Contains(err.Error(), "set VERSION") {
		t.Errorf("without git: %v", err)
	}
}

// TestVersionOfAnArchive: "make dist" writes the file VERSION.
func TestVersionOfAnArchive(t *testing.T) {
	for text, want := range map[string]string{
		"v1.2.3 0123abc\n":                     "1.2.3",
		"v1.2.3-rc1 0123abc\n":                 "1.2.3~rc1",
		"v1.2.3-5-g0123abc 0123abc\n":          "1.2.3+5.g0123abc",
		"0123abc 0123abc\n":                    "0.0.0+0.g0123abc",
		"nonsense 0123abc\n":                   "0.0.0+0.g0123abc",
		"":                                     "",
		"v1.2.3":                               "",
		"devel unknown\n":                      "",
		"v1.2.3 unknown\nand more of the same": "",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "VERSION")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		v, err := findVersion(dir, func(string) string { return "" })
		if v.text != want || (err == nil) != (want != "") || err == nil && !v.time.Equal(time.Unix(1e9, 0)) {
			t.Errorf("%q: %+v, %v; want %q", text, v, err, want)
		}
	}
}

func TestVersionFromGit(t *testing.T) {
	dir := t.TempDir()
	commands := func(list ...string) {
		t.Helper()
		for _, args := range list {
			cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, strings.Fields(args)...)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=1000000000 +0200", "GIT_CONFIG_GLOBAL=/dev/null")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %s: %v\n%s", args, err, out)
			}
		}
	}
	want := func(pattern string) {
		t.Helper()
		v, err := findVersion(dir, func(string) string { return "" })
		if err != nil || !v.time.Equal(time.Unix(1e9, 0)) || len(v.commit) != 10 {
			t.Fatalf("%+v, %v", v, err)
		}
		if got := strings.ReplaceAll(v.text, v.commit, "HASH"); got != pattern {
			t.Errorf("version %q, want %q", v.text, pattern)
		}
	}
	file := filepath.Join(dir, "file")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	commands("init -q", "add file", "commit -q -m 1")
	want("0.0.0+1.gHASH")
	write("2")
	want("0.0.0+1.gHASH+dirty")
	commands("commit -q -a -m 2", "tag other")
	want("0.0.0+2.gHASH")
	commands("tag v1.2.3")
	want("1.2.3")
	write("3")
	want("1.2.3+dirty")
	commands("commit -q -a -m 3")
	want("1.2.3+1.gHASH")
}

func TestCompressHasNoTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gz")
	if err := compress([]byte("text"), path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "text" || r.Name != "" || !r.ModTime.IsZero() {
		t.Errorf("%q %+v %v", text, r.Header, err)
	}
}

func TestWriteLicence(t *testing.T) {
	apache, err := os.ReadFile("../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	dual := "BSD or GPL\r\nfull text:\n\n                    GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991\n\n x\n END OF TERMS AND CONDITIONS\n y\n"
	var text bytes.Buffer
	writeLicence(&text, "a v1", apache, []byte("a NOTICE\n"))
	writeLicence(&text, "b v2", []byte(dual))
	want := `
` + strings.Repeat("-", 78) + `

a v1

Apache License, Version 2.0: see above.

a NOTICE

` + strings.Repeat("-", 78) + `

b v2

BSD or GPL
full text:

On Debian systems it is in /usr/share/common-licenses/GPL-2.
`
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
}

func TestFindMember(t *testing.T) {
	header := func(name, size string) string {
		return name + strings.Repeat(" ", 48-len(name)) + size + strings.Repeat(" ", 10-len(size)) + "`\n"
	}
	archive := "!<arch>\n" + header("odd", "3") + "abc\n" + header("wanted/", "2") + "de" + header("last", "1") + "f"
	r, err := findMember(strings.NewReader(archive), "wanted")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "de" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, broken := range []string{"", "!<arch>", "something else", "!<arch>\n", archive[:70], archive[:20], strings.Replace(archive, " 3 ", " x ", 1)} {
		if _, err := findMember(strings.NewReader(broken), "wanted"); err == nil {
			t.Errorf("%q is taken", broken)
		}
	}
}

func TestChoose(t *testing.T) {
	got, err := choose("format", "rpm,deb", formats)
	if err != nil || !slices.Equal(got, []string{"rpm", "deb"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, list := range []string{"", "exe", "deb,", "deb, rpm"} {
		if got, err := choose("format", list, formats); err == nil {
			t.Errorf("%q is taken: %q", list, got)
		}
	}
}
