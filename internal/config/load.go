package config

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"runtime"
	"syscall"
	"unicode/utf8"
)

// system is what a configuration depends on besides its files.
type system struct {
	// directory returns the working directory, absolute and without symbolic
	// links, so that ".." means in a joined path what it means to the kernel.
	directory func() (string, error)
	// userExists reports whether there is a user of that name; an error says
	// that it cannot be known.
	userExists func(name string) (bool, error)
	cpus       func() int
}

// thisSystem is the one that the process runs on.
var thisSystem = system{
	directory:  syscall.Getwd,
	userExists: userExists,
	cpus:       runtime.NumCPU,
}

func userExists(name string) (bool, error) {
	_, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return false, nil
	}
	return true, err
}

// Load reads DIR/gracevisor.yaml and the files that it includes, and returns
// the checked plan. If the configuration is at fault, which includes files that
// cannot be read, the error is of type Faults and holds every fault of every
// file. Any other error is one of the system.
//
// Load has no side effects and needs no privileges but to read the files. A
// user that does not exist is a fault; commands and folders are not looked for,
// as they may be visible to the app's user only.
func Load(dir string) (*Plan, error) {
	return load(dir, thisSystem)
}

func load(dir string, sys system) (*Plan, error) {
	wd, err := sys.directory()
	if err != nil {
		return nil, fmt.Errorf("find the working directory: %w", err)
	}
	if !utf8.ValidString(wd) {
		return nil, fmt.Errorf("use the working directory: %q is not UTF-8", wd)
	}
	r := reader{wd: wd, seen: map[fileID]bool{}}
	file := filepath.Join(dir, FileName)
	top := r.daemon(file)
	apps := r.apps(top)
	c := checker{sys: sys, wd: wd, found: &r.found}
	c.check(top, apps)
	if faults := r.found.sorted(); len(faults) > 0 {
		return nil, faults
	}
	plan := resolve(top, apps, wd, sys.cpus())
	plan.File = absolute(wd, file)
	plan.Warnings = c.warnings.sorted()
	return plan, nil
}
