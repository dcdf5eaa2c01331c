package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// defaultMaintainer is who the packages name.
const defaultMaintainer = "gracevisor maintainers <maintainers@gracevisor.invalid>"

// programs are what the packages install.
var programs = []string{"gracevisord", "gracevisorctl", "gracevisor-generator"}

// A builder makes the packages of one version.
type builder struct {
	root, out  string
	version    version
	maintainer string
	// temp is removed at the end. It has a stage for each architecture.
	temp string
	nfpm string
}

// newBuilder makes a builder, and nfpm.
func newBuilder(root, out string, v version) (*builder, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	// There, so that "make clean" removes what an interrupted build has left.
	temp, err := os.MkdirTemp(out, ".build-")
	if err != nil {
		return nil, err
	}
	b := &builder{root: root, out: out, version: v, maintainer: os.Getenv("MAINTAINER"), temp: temp}
	if b.maintainer == "" {
		b.maintainer = defaultMaintainer
	}
	b.nfpm = filepath.Join(temp, "nfpm")
	if err := b.run("go", "build", "-C", "packaging/nfpm", "-buildvcs=false", "-o", b.nfpm, "github.com/goreleaser/nfpm/v2/cmd/nfpm"); err != nil {
		b.close()
		return nil, fmt.Errorf("build nfpm: %w", err)
	}
	return b, nil
}

func (b *builder) close() { _ = os.RemoveAll(b.temp) }

// build makes the packages of an architecture.
func (b *builder) build(arch string, formats []string) error {
	stage := filepath.Join(b.temp, arch)
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	for _, program := range programs {
		if err := b.compile(arch, program, filepath.Join(stage, program)); err != nil {
			return err
		}
	}
	if err := b.complete(stage); err != nil {
		return fmt.Errorf("write completions: %w", err)
	}
	if err := b.document(stage); err != nil {
		return fmt.Errorf("write documentation: %w", err)
	}
	for _, format := range formats {
		if err := b.pack(arch, stage, format); err != nil {
			return fmt.Errorf("pack %s: %w", format, err)
		}
	}
	return nil
}

// compile builds a program. Nothing of this machine gets into it.
func (b *builder) compile(arch, program, path string) error {
	flags := "-s -w -X gracevisor/internal/version.Version=" + b.version.text +
		" -X gracevisor/internal/version.Commit=" + b.version.commit
	return b.runWith([]string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/"+program)
}

// complete lets gracevisorctl write its completion scripts. It is built for this
// machine, which may have another architecture than the package.
func (b *builder) complete(stage string) error {
	control := filepath.Join(b.temp, "gracevisorctl")
	if err := b.compile(runtime.GOARCH, "gracevisorctl", control); err != nil {
		return err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := exec.Command(control, "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("run gracevisorctl completion %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(stage, "gracevisorctl."+shell), script, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pack makes one package of what is staged.
func (b *builder) pack(arch, stage, format string) error {
	target := b.out
	if format == "tar.gz" {
		target, format = stage, "deb"
	}
	var said bytes.Buffer
	cmd := exec.Command(b.nfpm, "package", "--config", "packaging/nfpm/nfpm.yaml", "--packager", format, "--target", target+"/")
	cmd.Dir = b.root
	cmd.Env = append(b.environment(), "ARCH="+arch, "STAGE="+stage, "VERSION="+b.version.text,
		"MAINTAINER="+b.maintainer, "SOURCE_DATE_EPOCH="+b.epoch())
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run nfpm: %w\n%s", err, said.Bytes())
	}
	if target == b.out {
		return nil
	}
	debs, err := filepath.Glob(filepath.Join(stage, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("find the package that nfpm made: %q: %w", debs, err)
	}
	name := fmt.Sprintf("gracevisor_%s_linux_%s", b.version.text, arch)
	return writeArchive(filepath.Join(b.out, name+".tar.gz"), name, debs[0], b.version.time)
}

func (b *builder) epoch() string { return strconv.FormatInt(b.version.time.Unix(), 10) }

// environment is that of this process, without what changes what is built.
func (b *builder) environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "NFPM_") || name == "GOEXPERIMENT" || name == "GOWORK"
	})
}

func (b *builder) run(name string, args ...string) error { return b.runWith(nil, name, args...) }

func (b *builder) runWith(environment []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = b.root
	cmd.Env = append(b.environment(), environment...)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s %s: %w", name, args[0], err)
	}
	return nil
}
