package config

import (
	"fmt"
	"strings"
	"testing"
)

// laughs is a document in which a few lines stand for 10^9 values.
func laughs() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i <= 9; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	return b.String()
}

// merges is a document in which every mapping merges two copies of the one
// before it.
func merges() string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1}\n")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [*a%d, *a%d], y%d: 1}\n", i, i, i-1, i-1, i)
	}
	return b.String()
}

// quadratic is a document in which many mappings merge a large one.
func quadratic() string {
	var b strings.Builder
	b.WriteString("a: &a {")
	for i := range 10_000 {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	b.WriteString("}\nb:\n")
	b.WriteString(strings.Repeat("- <<: *a\n", 50_000))
	return b.String()
}

// mergeList is a document in which many mappings merge a long list.
func mergeList(item string) string {
	return "l: &l [" + strings.Repeat(item+",", 50_000) + "]\nb:\n" + strings.Repeat("- <<: *l\n", 50_000)
}

// TestHostileDocuments holds that documents made to be slow or large are
// refused, each within a test's patience: without the bounds most of them
// would not come to an end.
func TestHostileDocuments(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"huge":          {strings.Repeat("a", maxFileSize+1), "gracevisor.yaml:1:1: the file is larger"},
		"laughs":        {laughs(), "gracevisor.yaml:1:1: the file has more than 200000 values"},
		"quadratic":     {quadratic(), "gracevisor.yaml:1:1: the file has more than 200000 values"},
		"empty merges":  {mergeList("{}"), "gracevisor.yaml:1:1: the file has more than 200000 values"},
		"broken merges": {mergeList("1"), "gracevisor.yaml:1:2006: too many faults: 199001 more are not listed"},
		"many":          {"a: [" + strings.Repeat("1,", 400_000) + "]", "gracevisor.yaml:1:1: the file has more than 200000 values"},
		"deep":          {"apps: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "gracevisor.yaml:1:26: nested too deeply"},
		"deeper":        {strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), "gracevisor.yaml:1:21: nested too deeply"},
		"deepest":       {strings.Repeat("[", maxFileSize), "gracevisor.yaml:1:1: not valid YAML: exceeded max depth"},
		"braces":        {strings.Repeat("{a: ", maxFileSize/4), "gracevisor.yaml:1:1: not valid YAML: exceeded max depth"},
		"dashes":        {strings.Repeat("- ", maxFileSize/2), "gracevisor.yaml:1:1: not valid YAML: exceeded max depth"},
		"self":          {"a: &a [*a]", "gracevisor.yaml:1:8: the alias *a stands in its own value"},
		"self merge":    {"a: &a {<<: *a}", "gracevisor.yaml:1:12: "},
		"alias chain":   {"apps: &a [{name: &b x, command: [*b, *a]}]", "gracevisor.yaml:1:38: the alias *a stands"},
		"long key":      {strings.Repeat("k", 1000) + "x: 1", "gracevisor.yaml:1:1: unknown key \"kkk"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := loadText(t, c.text)
			lines := "\n" + strings.Join(faults.Lines(), "\n")
			if !strings.Contains(lines, "\n"+c.want) {
				t.Errorf("faults %.500s, want %q", lines, c.want)
			}
			for _, f := range faults {
				if len(f.Message) > 400 {
					t.Errorf("a message of %d bytes", len(f.Message))
				}
			}
		})
	}
}

// TestMergesDoNotMultiply: two copies of the same fields are the fields once.
func TestMergesDoNotMultiply(t *testing.T) {
	_, faults := loadText(t, merges())
	if len(faults) != 41 { // the names of the mappings are no keys
		t.Errorf("%d faults: %.300s", len(faults), faults)
	}
}

// TestBoundsLetLargeConfigurationsThrough is the legal neighbour.
func TestBoundsLetLargeConfigurationsThrough(t *testing.T) {
	var b strings.Builder
	b.WriteString("port_range: {from: 50000, to: 60000}\nrpc: {port: 0}\napps:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "- name: app%d\n  command: ./app --port={port} --data=%s\n  external_port: %d\n", i, strings.Repeat("x", 300), 1000+i)
	}
	plan, faults := loadText(t, b.String())
	wantFaults(t, faults)
	if len(plan.Apps) != 2000 {
		t.Errorf("%d apps", len(plan.Apps))
	}
}
