package conventions

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Bounds in lines, and what may be over them, with the reason.
const (
	longestFile     = 500
	longestFunction = 60
)

var (
	longFiles     = map[string]string{}
	longFunctions = map[string]string{}
)

// sizes complains about files and functions that are too long to be read.
func sizes(s source) []string {
	var complaints []string
	if n := s.lines(); n > longestFile && longFiles[s.path] == "" {
		complaints = append(complaints, fmt.Sprintf("%s has %d lines: is it still one thing?", s.path, n))
	}
	for _, declaration := range s.file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || s.isTest() {
			continue
		}
		n := s.set.Position(function.End()).Line - s.line(function) + 1
		if n > longestFunction && longFunctions[s.path+" "+function.Name.Name] == "" {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s has %d lines", s.path, s.line(function), function.Name.Name, n))
		}
	}
	return complaints
}

func TestSizes(t *testing.T) {
	report(t, sizes)
	sees(t, "a.go", "package a\n"+strings.Repeat("\n", longestFile), sizes)
	sees(t, "a.go", "package a\n\nfunc f() {\n"+strings.Repeat("\n", longestFunction)+"}\n", sizes)
}

// vague are names that say nothing of what is in a file.
var vague = regexp.MustCompile(`(^|_)(utils?|helpers?|common|types|misc|stuff|zz\w*)(_test)?\.go$`)

func names(s source) []string {
	if name := filepath.Base(s.path); vague.MatchString(name) {
		return []string{s.path + ": the name does not say what is in it"}
	}
	return nil
}

func TestNames(t *testing.T) {
	report(t, names)
	for _, name := range []string{"utils.go", "proxy_helpers.go", "types_test.go", "zz_try_test.go"} {
		sees(t, "internal/x/"+name, "package x\n", names)
	}
}

// endsProgram are functions that end the program without asking anybody.
var endsProgram = []string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln"}

// calls complains about calls that do not belong where they are.
func calls(s source) []string {
	if !s.product() {
		return nil
	}
	var complaints []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		name := from.Name + "." + selector.Sel.Name
		switch {
		case slices.Contains(endsProgram, name) && !s.isTest() && !(under(s.path, "cmd") && filepath.Base(s.path) == "main.go"):
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s, which belongs into main.go", s.path, s.line(n), name))
		case name == "time.Sleep" && !s.isTest() && sleeps[s.path] == "":
			complaints = append(complaints, fmt.Sprintf("%s:%d: a sleep: what is it waiting for?", s.path, s.line(n)))
		}
		return true
	})
	return complaints
}

// sleeps are files that may sleep, with the reason.
var sleeps = map[string]string{
	"internal/logs/peek.go":          "who fills a pipe that is not empty and waits for room wakes nobody",
	"internal/logs/rotation.go":      "a rotated file is named after the millisecond: only the clock gives another name",
	"internal/process/exit.go":       "nothing tells when the exit status of a stranger can be asked for",
	"internal/process/leafmaking.go": "nothing tells when the service manager has made a cgroup anew",
	"internal/process/strays.go":     "nothing tells when another process is done with execve(2)",
}

func TestCalls(t *testing.T) {
	report(t, calls)
	for path := range sleeps {
		if _, err := os.Stat(filepath.Join(root(), path)); err != nil {
			t.Errorf("exception for a file that is not there: %v", err)
		}
	}
	sees(t, "internal/x/x.go", "package x\n\nfunc f() { os.Exit(1) }\n", calls)
	sees(t, "cmd/x/other.go", "package main\n\nfunc f() { log.Fatalf(\"\") }\n", calls)
	sees(t, "internal/x/x.go", "package x\n\nfunc f() { time.Sleep(1) }\n", calls)
}

// leftToDo are the marks of what is not finished. They are written here so
// that this file does not have them.
var leftToDo = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// machinePaths are the folders of this checkout, of its module cache and of
// its user, as far as they would say so: /src is everywhere.
func machinePaths() []string {
	var paths []string
	home, err := os.UserHomeDir()
	if err == nil {
		paths = append(paths, filepath.Join(home, "go"))
	}
	paths = append(paths, root())
	return slices.DeleteFunc(paths, func(path string) bool { return strings.Count(path, "/") < 2 })
}

// text complains about what stands in a file of any kind.
func text(path, content string, machine []string) []string {
	var complaints []string
	number := 0
	for line := range strings.Lines(content) {
		number++
		if mark := leftToDo.FindString(line); mark != "" {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s: what is left to do is not left in the code", path, number, mark))
		}
		for _, folder := range machine {
			if strings.Contains(line, folder+"/") {
				complaints = append(complaints, fmt.Sprintf("%s:%d: a path of this machine: %s", path, number, folder))
			}
		}
	}
	return complaints
}

func TestTexts(t *testing.T) {
	machine := machinePaths()
	walk(t, func(path, content string) {
		if filepath.Base(path) == "LICENSE" || strings.Contains(path, "testdata/") {
			return // not ours, or anything
		}
		for _, complaint := range text(path, content, machine) {
			t.Error(complaint)
		}
	})
	for _, line := range []string{"// TO" + "DO: all", "see " + root() + "/x"} {
		if len(text("a.go", line, []string{root()})) == 0 {
			t.Errorf("the check does not see the fault of %q", line)
		}
	}
}
