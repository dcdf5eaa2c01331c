package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const ownCopyright = `gracevisor

Copyright: the gracevisor authors
License: Apache License, Version 2.0, to be had from
https://www.apache.org/licenses/LICENSE-2.0; on Debian systems its text is in
/usr/share/common-licenses/Apache-2.0.

The programs are linked statically. They contain code of the modules below,
under these licences.
`

// common are licences whose text every Debian has, and which its policy (12.5)
// wants not to be repeated: what the text looks like, and what to say instead.
var common = []struct {
	text *regexp.Regexp
	say  string
}{
	{
		regexp.MustCompile(`(?s)\A\s*Apache License\s+Version 2\.0, January 2004.*TERMS AND CONDITIONS FOR USE.*\z`),
		"Apache License, Version 2.0: see above.",
	},
	{
		regexp.MustCompile(`(?s)[ \t]*GNU GENERAL PUBLIC LICENSE\s+Version 2, June 1991.*END OF TERMS AND CONDITIONS.*\z`),
		"On Debian systems it is in /usr/share/common-licenses/GPL-2.",
	},
}

// module is one that is linked into a program.
type module struct{ path, version string }

// copyright lists the licences of all that is in the staged programs.
func (b *builder) copyright(stage string) ([]byte, error) {
	modules, err := linkedModules(stage)
	if err != nil {
		return nil, err
	}
	text := bytes.NewBufferString(ownCopyright)
	goRoot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask where Go is: %w", err)
	}
	goLicence, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goRoot)), "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("read the licence of Go: %w", err)
	}
	writeLicence(text, "The Go Programming Language (runtime and standard library), "+runtime.Version(), goLicence)
	for _, m := range modules {
		licences, err := b.licencesOf(m)
		if err != nil {
			return nil, fmt.Errorf("find the licence of %s: %w", m.path, err)
		}
		writeLicence(text, m.path+" "+m.version, licences...)
	}
	return text.Bytes(), nil
}

// linkedModules asks the programs what they were built from.
func linkedModules(stage string) ([]module, error) {
	var modules []module
	for _, program := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(stage, program))
		if err != nil {
			return nil, err
		}
		for _, dep := range info.Deps {
			modules = append(modules, module{dep.Path, dep.Version})
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return slices.Compact(modules), nil
}

// licencesOf returns the texts that a module has in its top folder.
func (b *builder) licencesOf(m module) ([][]byte, error) {
	cmd := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	cmd.Dir = b.root
	out, err := cmd.Output()
	var found struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &found); jsonErr != nil || err != nil {
		return nil, fmt.Errorf("download: %w %s", errors.Join(err, jsonErr), found.Error)
	}
	entries, err := os.ReadDir(found.Dir)
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, e := range entries {
		if !licenceFile.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(found.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, errors.New("it has none")
	}
	return texts, nil
}

// licenceFile matches the names that licences and notices have.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright)(\..*)?$`)

func writeLicence(text *bytes.Buffer, of string, licences ...[]byte) {
	fmt.Fprintf(text, "\n%s\n\n%s\n\n", strings.Repeat("-", 78), of)
	for _, licence := range licences {
		licence = bytes.ReplaceAll(licence, []byte("\r"), nil)
		for _, c := range common {
			licence = c.text.ReplaceAll(licence, []byte(c.say))
		}
		text.Write(bytes.TrimSpace(licence))
		text.WriteString("\n\n")
	}
	text.Truncate(text.Len() - 1)
}
