package conventions

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Lengths of package comments in lines: short ones say too little, and nobody
// reads long ones.
const (
	shortest = 15
	longest  = 100
)

// short are packages of which there is little to say.
var short = map[string]string{
	"internal/version": "two variables",
}

// packageComment complains about a package comment in the wrong place or of
// the wrong length.
func packageComment(s source) []string {
	if s.isTest() {
		return nil
	}
	isDoc := strings.HasSuffix(s.path, "/doc.go")
	switch doc := s.file.Doc; {
	case doc == nil && isDoc:
		return []string{s.path + ": there is no package comment"}
	case doc != nil && !isDoc && !strings.HasPrefix(doc.Text(), "go:build"):
		return []string{s.path + ": the package comment belongs into doc.go"}
	case !isDoc || !under(s.path, "internal") || short[s.folder()] != "":
		return nil
	}
	n := strings.Count(s.file.Doc.Text(), "\n")
	if n < shortest || n > longest {
		return []string{fmt.Sprintf("%s: the package comment has %d lines, not %d to %d", s.path, n, shortest, longest)}
	}
	return nil
}

func TestPackageComments(t *testing.T) {
	report(t, packageComment)
	sees(t, "internal/x/doc.go", "package x\n", packageComment)
	sees(t, "internal/x/doc.go", "// Package x is short.\npackage x\n", packageComment)
	sees(t, "internal/x/doc.go", strings.Repeat("// Package x.\n", longest+1)+"package x\n", packageComment)
	sees(t, "cmd/x/main.go", "// Command x.\npackage main\n", packageComment)
}

// TestArchitectureNamesPackages: each that is on a floor is in its table.
func TestArchitectureNamesPackages(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for folder := range floors {
		// A subpackage is named with its parent.
		name := folder
		if parts := strings.Split(folder, "/"); len(parts) > 2 {
			name = parts[2]
		}
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("ARCHITECTURE.md does not name %s", folder)
		}
	}
}

func TestEveryPackageHasADocFile(t *testing.T) {
	documented := make(map[string]bool)
	var packages []string
	for _, s := range sources(t) {
		switch {
		case strings.HasSuffix(s.path, "/doc.go"):
			documented[s.folder()] = true
		case !s.isTest():
			packages = append(packages, s.folder())
		}
	}
	for _, folder := range packages {
		if !documented[folder] {
			t.Errorf("%s has no doc.go", folder)
			documented[folder] = true // once is enough
		}
	}
}
