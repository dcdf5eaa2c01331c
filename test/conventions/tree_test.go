package conventions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// source is a Go file of the project.
type source struct {
	path string // relative to the module
	text string
	file *ast.File
	set  *token.FileSet
}

func (s source) isTest() bool        { return strings.HasSuffix(s.path, "_test.go") }
func (s source) folder() string      { return filepath.ToSlash(filepath.Dir(s.path)) }
func (s source) product() bool       { return under(s.path, "cmd", "internal") }
func (s source) lines() int          { return strings.Count(s.text, "\n") }
func (s source) line(n ast.Node) int { return s.set.Position(n.Pos()).Line }

// under reports whether a path lies in one of the folders.
func under(path string, folders ...string) bool {
	for _, folder := range folders {
		if strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// root is the module's folder.
var root = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
})

// isProject says of a folder or file of the module whether it is part of the
// project; what is built and cached is not.
func isProject(path string) bool {
	switch path {
	case ".git", ".cache", "bin", "dist", "log", "demoapp/demoapp":
		return false
	}
	return true
}

// walk calls visit for each file of the project that is text.
func walk(t *testing.T, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root(), func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root(), full)
		if err != nil {
			return err
		}
		if !isProject(filepath.ToSlash(path)) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(full)
		if err == nil && !strings.Contains(string(text), "\x00") {
			visit(filepath.ToSlash(path), string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, path, text string) source {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{path, text, file, set}
}

// sources are all Go files of the project.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, func(path, text string) {
		if strings.HasSuffix(path, ".go") && !strings.Contains(path, "testdata/") {
			all = append(all, parse(t, path, text))
		}
	})
	if len(all) < 50 {
		t.Fatalf("only %d Go files in %s: is this the project?", len(all), root())
	}
	return all
}

// report fails the test with the complaints about each file.
func report(t *testing.T, complain func(source) []string) {
	t.Helper()
	for _, s := range sources(t) {
		for _, complaint := range complain(s) {
			t.Error(complaint)
		}
	}
}

// sees proves that a check finds what it is for.
func sees(t *testing.T, path, text string, complain func(source) []string) {
	t.Helper()
	if len(complain(parse(t, path, text))) == 0 {
		t.Errorf("the check does not see the fault of %s:\n%s", path, text)
	}
}
