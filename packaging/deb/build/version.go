package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// version is what is built.
type version struct {
	// text is the version of the software, in the form of packages:
	// "1.2.3", "1.2.3+5.g0123456789".
	text   string
	commit string
	// time is that of the commit; everything in the packages has it.
	time time.Time
}

// described is the output of git describe --long --tags --dirty: tag, number of
// commits since, hash, and whether the tree has changes.
var described = regexp.MustCompile(`^v([0-9][0-9A-Za-z.]*)(?:-([0-9A-Za-z.]+))?-([0-9]+)-g([0-9a-f]+)(-dirty)?$`)

var hash = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// legal is the part of what Debian (deb-version(7)) and RPM both allow in a
// version that we use.
var legal = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]*$`)

// findVersion asks the environment, else the file VERSION of a source archive,
// else git, in the directory of the sources.
func findVersion(dir string, getenv func(string) string) (version, error) {
	if text := getenv("VERSION"); text != "" {
		return givenVersion(text, getenv("SOURCE_DATE_EPOCH"))
	}
	if text, err := os.ReadFile(filepath.Join(dir, "VERSION")); err == nil {
		return archivedVersion(string(text), filepath.Join(dir, "VERSION"))
	}
	head, err := git(dir, "rev-parse", "HEAD")
	if err != nil {
		return version{}, fmt.Errorf("find the version: %w (without git, set VERSION and SOURCE_DATE_EPOCH)", err)
	}
	seconds, err := git(dir, "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return version{}, fmt.Errorf("find the time of the commit: %w", err)
	}
	description, err := git(dir, "describe", "--long", "--tags", "--dirty", "--abbrev=10", "--match=v[0-9]*")
	if err != nil { // no tag yet
		if description, err = describeUntagged(dir, head); err != nil {
			return version{}, fmt.Errorf("find the version: %w", err)
		}
	}
	text, err := versionOf(description)
	if err != nil {
		return version{}, err
	}
	return newVersion(text, head[:10], seconds)
}

func givenVersion(text, epoch string) (version, error) {
	if epoch == "" {
		return version{}, errors.New("VERSION is set: SOURCE_DATE_EPOCH must be, too")
	}
	if !legal.MatchString(text) {
		return version{}, fmt.Errorf("use VERSION: %q is not a version: expected digits first, then letters, digits, '.', '+' and '~'", text)
	}
	return newVersion(text, "unknown", epoch)
}

// archivedVersion takes the text of the file VERSION, which "make dist" writes:
// what git describe says, and the commit. As all files of the archive, it has
// the time of the commit.
func archivedVersion(text, file string) (version, error) {
	info, err := os.Stat(file)
	if err != nil {
		return version{}, err
	}
	description, commit, _ := strings.Cut(strings.TrimSpace(text), " ")
	if !described.MatchString(description) {
		description += "-0-g" + commit
	}
	release, err := versionOf(description)
	if err != nil && hash.MatchString(commit) { // there was no tag
		release, err = "0.0.0+0.g"+commit, nil
	}
	if err != nil {
		return version{}, fmt.Errorf("read %s: %w", file, err)
	}
	return newVersion(release, commit, strconv.FormatInt(info.ModTime().Unix(), 10))
}

func newVersion(text, commit, seconds string) (version, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return version{}, fmt.Errorf("use the time %q: %w", seconds, err)
	}
	return version{text: text, commit: commit, time: time.Unix(n, 0).UTC()}, nil
}

// describeUntagged makes what git describe would say of a tag v0.0.0 before the
// first commit.
func describeUntagged(dir, head string) (string, error) {
	count, err := git(dir, "rev-list", "--count", "HEAD")
	if err != nil {
		return "", err
	}
	changes, err := git(dir, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return "", err
	}
	description := "v0.0.0-" + count + "-g" + head[:10]
	if changes != "" {
		description += "-dirty"
	}
	return description, nil
}

// versionOf turns a description of git into a version that sorts.
func versionOf(description string) (string, error) {
	match := described.FindStringSubmatch(description)
	if match == nil {
		return "", fmt.Errorf("use the tag of %q: expected v1.2.3, or v1.2.3-rc1", description)
	}
	text, prerelease, count, hash, dirty := match[1], match[2], match[3], match[4], match[5]
	if prerelease != "" {
		text += "~" + prerelease
	}
	if count != "0" {
		text += "+" + count + ".g" + hash
	}
	if dirty != "" {
		// "+" once more is fine: it sorts after the commit it began from.
		text += "+dirty"
	}
	return text, nil
}

// git runs git and returns its output.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
