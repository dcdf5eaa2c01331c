package man

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gracevisor/internal/config"
)

var update = flag.Bool("update", false, "write the option lists of gracevisor.yaml.5")

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKeysAreInStep(t *testing.T) {
	const page = "gracevisor.yaml.5"
	text := read(t, page)
	for _, scope := range []config.Scope{config.ScopeDaemon, config.ScopeApp} {
		begin, end := `.\" BEGIN `+string(scope)+"\n", `.\" END `+string(scope)+"\n"
		before, rest, found := strings.Cut(text, begin)
		list, after, ends := strings.Cut(rest, end)
		if !found || !ends {
			t.Fatalf("%s: no marks for %s", page, scope)
		}
		if list != Keys(scope) && !*update {
			t.Errorf("%s: the keys of scope %s have changed: run this test with -update", page, scope)
		}
		text = before + begin + Keys(scope) + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeysSuitRoff: what a key says is text to roff, and no request.
func TestKeysSuitRoff(t *testing.T) {
	request := regexp.MustCompile(`^(\.(It|Bl|El|br)\b|[^.'])`)
	for _, scope := range []config.Scope{config.ScopeDaemon, config.ScopeApp} {
		for line := range strings.Lines(Keys(scope)) {
			if !request.MatchString(line) {
				t.Errorf("%q is a request", line)
			}
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"a-b, `-1` or `x'y~^`": `a-b, \(oq\-1\(cq or \(oqx\(aqy\(ti\(ha\(cq`,
		`a\b`:                  `a\eb`,
		"no `code":             "no `code",
	} {
		if got := text(in); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := sentences("one. two."); got != "One.\ntwo." {
		t.Errorf("%q", got)
	}
}

// TestCommandsAreInStep compares gracevisorctl(1) with what the program says of
// itself.
func TestCommandsAreInStep(t *testing.T) {
	ctl := filepath.Join(t.TempDir(), "gracevisorctl")
	run(t, "go", "build", "-buildvcs=false", "-o", ctl, "gracevisor/cmd/gracevisorctl")
	page := read(t, "gracevisorctl.1")
	commands := names(run(t, ctl, "--help"), `(?m)^  ([a-z-]+)  +[A-Z]`)
	if !slices.Contains(commands, "restart") {
		t.Fatalf("help names the commands %q", commands)
	}
	documented := names(section(page, "COMMANDS"), `(?m)^\.It Cm ([a-z-]+)`)
	if want := sorted(append(commands, "completion")); !slices.Equal(documented, want) {
		t.Errorf("the page documents %q, the program has %q", documented, want)
	}
	flags := names(run(t, ctl, "--help"), `--([a-z-]+)[ ,]`)
	for _, command := range commands {
		flags = append(flags, names(run(t, ctl, "help", command), `--([a-z-]+)[ ,]`)...)
	}
	documented = names(page, `Fl Fl ([a-z-]+)`)
	for _, flag := range flags {
		if !slices.Contains(documented, flag) {
			t.Errorf("the page says nothing of --%s", flag)
		}
	}
	for _, flag := range documented {
		if !slices.Contains(flags, flag) {
			t.Errorf("the page documents --%s, which does not exist", flag)
		}
	}
}

// TestMembersAreInStep compares gracevisor-dbus(5) with the interfaces.
func TestMembersAreInStep(t *testing.T) {
	page := read(t, "gracevisor-dbus.5")
	files, err := filepath.Glob("../dbus/*.xml")
	if err != nil || len(files) != 3 {
		t.Fatalf("interfaces %q: %v", files, err)
	}
	for _, file := range files {
		text := read(t, file)
		for _, function := range names(text, `<(?:method|signal) name="(\w+)"`) {
			if !strings.Contains(page, "Fn "+function+" ") {
				t.Errorf("the page says nothing of %s in %s", function, file)
			}
		}
		for _, match := range regexp.MustCompile(`<property name="(\w+)" type="(\S+)"`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(page, "Va "+match[1]+" No "+match[2]) {
				t.Errorf("the page says nothing of %s (%s) in %s", match[1], match[2], file)
			}
		}
	}
}

// TestDaemonFlagsAreInStep is the same for gracevisord(8).
func TestDaemonFlagsAreInStep(t *testing.T) {
	daemon := filepath.Join(t.TempDir(), "gracevisord")
	run(t, "go", "build", "-buildvcs=false", "-o", daemon, "gracevisor/cmd/gracevisord")
	flags := names(run(t, daemon, "--help"), `(?m)^ +(?:-[a-z], )?--([a-z-]+)`)
	if documented := names(section(read(t, "gracevisord.8"), "OPTIONS"), `Fl Fl ([a-z-]+)`); !slices.Equal(documented, flags) {
		t.Errorf("the page documents %q, the program has %q", documented, flags)
	}
}

// section returns a section of a page.
func section(page, name string) string {
	_, text, _ := strings.Cut(page, ".Sh "+name+"\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	return text
}

// names are what a pattern captures, sorted, each once.
func names(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return sorted(found)
}

func sorted(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// run returns what a command writes, to either output; it has to succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestPagesRenderWithoutWarnings(t *testing.T) {
	pages, err := filepath.Glob("*.[158]")
	if err != nil || len(pages) != 4 {
		t.Fatalf("pages %q: %v", pages, err)
	}
	renderers := [][]string{
		{"man", "--warnings=all", "--encoding=UTF-8", "--local-file"},
		{"groff", "-ww", "-mdoc", "-Tutf8", "-z"},
		{"mandoc", "-Tlint", "-Wwarning"},
	}
	for _, renderer := range renderers {
		if _, err := exec.LookPath(renderer[0]); err != nil {
			t.Logf("NOT CHECKED with %s: it is not installed", renderer[0])
			continue
		}
		for _, page := range pages {
			cmd := exec.Command(renderer[0], append(renderer[1:], page)...)
			cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
			var complaints strings.Builder
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if renderer[0] == "mandoc" {
				complaints.Write(out)
			}
			if err != nil || complaints.Len() != 0 {
				t.Errorf("%q %s: %v\n%s", renderer, page, err, complaints.String())
			}
		}
	}
}
