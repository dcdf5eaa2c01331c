package config

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// testSystem is a machine that is the same everywhere, with wd as its working
// directory.
func testSystem(wd string) system {
	return system{
		directory:  func() (string, error) { return wd, nil },
		userExists: func(name string) (bool, error) { return name == "root" || name == "www-data", nil },
		cpus:       func() int { return 4 },
	}
}

// golden compares got with the golden file of a test case, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update writes it); got:\n%s", file, got)
	}
}

// cases returns the folders below testdata/NAME, absolute.
func cases(t *testing.T, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", name, "*", FileName))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases of %s: %v", name, err)
	}
	var dirs []string
	for _, file := range files {
		dir, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// faultsOf returns the faults of an error of Load; other errors end the test.
func faultsOf(t *testing.T, err error) Faults {
	t.Helper()
	var faults Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("error is no list of faults: %v", err)
	}
	return faults
}

func TestFaultsGolden(t *testing.T) {
	for _, dir := range cases(t, "faults") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			plan, err := load(".", testSystem(dir))
			if plan != nil || err == nil {
				t.Fatal("the configuration was accepted")
			}
			golden(t, filepath.Join(dir, "faults.golden"), strings.Join(faultsOf(t, err).Lines(), "\n")+"\n")
		})
	}
}

func TestPlanGolden(t *testing.T) {
	for _, dir := range cases(t, "valid") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			plan, err := load(".", testSystem(dir))
			if err != nil {
				t.Fatalf("the configuration was refused:\n%s", strings.Join(faultsOf(t, err).Lines(), "\n"))
			}
			text, err := json.MarshalIndent(plan, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(dir, "plan.golden"), strings.ReplaceAll(string(text), dir, "/WD")+"\n")
		})
	}
}
