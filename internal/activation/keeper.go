package activation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// keptPrefix marks the names of kept files in the service manager's store.
const keptPrefix = "gracevisor/"

// A Keeper holds the files that have to outlive the process, by name: over an
// exec it hands them on itself, over a crash the service manager's store does.
// Its methods may be called from any goroutine and do not block; Run stores in
// the background, in the order of the calls.
type Keeper struct {
	log   *slog.Logger
	store *FDStore // nil without a service manager
	// rank is how little it matters that the file of a name outlives a crash.
	rank func(name string) int

	mu    sync.Mutex
	files map[string]*os.File
	// stored are the names of those that are in the store, as far as is known
	// (shelf.go).
	stored map[string]bool
	orders []keepOrder
	filled chan struct{}
	// failed and full: it was told that the store does not work, or is full.
	failed, full bool
}

// keepOrder is something that the store has to be told.
type keepOrder struct {
	name string
	file *os.File // nil: remove
	then func()
}

// NewKeeper makes one that keeps nothing yet. store may be nil. Of more files than
// the store takes, those of the lowest rank are in it.
func NewKeeper(log *slog.Logger, store *FDStore, rank func(name string) int) *Keeper {
	return &Keeper{
		log: log, store: store, rank: rank,
		files: make(map[string]*os.File), stored: make(map[string]bool), filled: make(chan struct{}, 1),
	}
}

// Keep keeps a duplicate of a file under a name, in the place of what has it.
// then, if not nil, is called in another goroutine once a crash would not lose
// it any more, or at once if a crash loses everything.
func (k *Keeper) Keep(name string, file *os.File, then func()) error {
	dup, err := Dup(file)
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.files[name]
	k.files[name] = dup
	if k.store == nil {
		if old != nil {
			old.Close()
		}
		if then != nil {
			go then()
		}
		return nil
	}
	if old != nil { // it may be on its way into the store
		told := then
		then = func() {
			old.Close()
			if told != nil {
				told()
			}
		}
	}
	k.checkFull()
	k.order(keepOrder{name, dup, then})
	return nil
}

// checkFull tells if there are more files than the store takes, of which it tells
// nobody. The lock is held.
func (k *Keeper) checkFull() {
	if max := k.store.max; max > 0 && len(k.files) > max && !k.full {
		k.full = true // once: it would fill the log
		k.log.Error("the service manager's fd store is full; a crash of the daemon will lose apps or connections: raise FileDescriptorStoreMax=",
			"max", max, "wanted", len(k.files))
	}
}

// StoreMaxUnknown reports whether there is a store that has not told how many
// files it takes.
func (k *Keeper) StoreMaxUnknown() bool { return k.store != nil && k.store.max == 0 }

// SetStoreMax says how many files the store takes.
func (k *Keeper) SetStoreMax(max int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.store.max = max
	k.checkFull()
	k.order(keepOrder{}) // has what is in the store looked at
}

// Adopt keeps a file that is in the store already.
func (k *Keeper) Adopt(name string, file *os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.files[name]; old != nil && old != file {
		old.Close()
	}
	k.files[name] = file
	k.stored[name] = true
}

// Drop lets go of what is kept under a name.
func (k *Keeper) Drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := k.files[name]
	if file == nil {
		return
	}
	delete(k.files, name)
	if k.store == nil {
		file.Close()
		return
	}
	k.order(keepOrder{name: name, then: func() { file.Close() }})
}

// IsListener reports whether a kept file of this name is a listening socket.
func IsListener(name string) bool {
	_, _, ok := parseKeptName(name)
	return ok
}

// DropAllButListeners lets go of all files but the listening sockets.
func (k *Keeper) DropAllButListeners() {
	for _, name := range k.Names() {
		if !IsListener(name) {
			k.Drop(name)
		}
	}
}

// Names are those of all files that are kept, sorted.
func (k *Keeper) Names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.files))
}

// order queues an order. The lock is held.
func (k *Keeper) order(o keepOrder) {
	k.orders = append(k.orders, o)
	select {
	case k.filled <- struct{}{}:
	default:
	}
}

// Run tells the store until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for {
		select {
		case <-k.filled:
			k.carryOut(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) carryOut(ctx context.Context) {
	k.mu.Lock()
	orders := k.orders
	k.orders = nil
	k.mu.Unlock()
	for _, o := range orders {
		if err := k.tell(ctx, o); err != nil && !k.failed {
			k.failed = true // once: it would fill the log
			k.log.Error("cannot use the service manager's fd store; a crash of the daemon will lose apps", "error", err)
		}
		if o.then != nil {
			o.then()
		}
	}
}

func (k *Keeper) tell(ctx context.Context, o keepOrder) error {
	if err := k.tidy(ctx); err != nil {
		return err
	}
	if o.name == "" {
		return k.store.Barrier(ctx)
	}
	if o.file == nil {
		return k.takeOut(ctx, o.name)
	}
	k.mu.Lock()
	current := k.files[o.name] == o.file
	k.mu.Unlock()
	if !current {
		return nil // it was replaced or dropped meanwhile
	}
	return k.putIn(ctx, o.name, o.file)
}

// handoverVariable tells the program that is executed next the descriptor of a
// memfd that lists the files: a line "FD NAME" for each. A list in the variable
// itself would be bounded by what the kernel takes for one (execve(2), 128 KiB).
const handoverVariable = "GRACEVISOR_FDS"

// PrepareExec makes the kept files, and those of also, stay open over an exec, and
// returns the variable that tells of them. Undo takes that back if the exec fails.
// The caller holds syscall.ForkLock, so that no child inherits them by accident.
func (k *Keeper) PrepareExec(also map[string]*os.File) (variable string, undo func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list strings.Builder
	for _, files := range []map[string]*os.File{k.files, also} {
		for name, file := range files {
			if err := setCloseOnExec(file, false, func(fd int) { fmt.Fprintf(&list, "%d %s\n", fd, name) }); err != nil {
				k.closeOnExec(also)
				return "", nil, fmt.Errorf("hand over %s: %w", name, err)
			}
		}
	}
	fd, err := unix.MemfdCreate("gracevisor-files", 0)
	if err == nil {
		_, err = unix.Pwrite(fd, []byte(list.String()), 0)
	}
	if err != nil {
		k.closeOnExec(also)
		return "", nil, fmt.Errorf("hand over the list of files: %w", err)
	}
	undo = func() {
		unix.Close(fd)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.closeOnExec(also)
	}
	return handoverVariable + "=" + strconv.Itoa(fd), undo, nil
}

// closeOnExec makes the kept files close on exec again. The lock is held.
func (k *Keeper) closeOnExec(also map[string]*os.File) {
	for _, files := range []map[string]*os.File{k.files, also} {
		for _, file := range files {
			_ = setCloseOnExec(file, true, func(int) {}) // a file that was closed needs nothing
		}
	}
}

// setCloseOnExec sets or clears FD_CLOEXEC, and tells the descriptor.
func setCloseOnExec(file *os.File, on bool, tell func(fd int)) error {
	flags := 0
	if on {
		flags = unix.FD_CLOEXEC
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		_, inner = unix.FcntlInt(fd, unix.F_SETFD, flags)
		tell(int(fd))
	})
	return errors.Join(err, inner)
}

// Executed reports whether the program before an exec has handed files over.
func Executed() bool { return os.Getenv(handoverVariable) != "" }

// TakeHandover returns the files that the program before the exec has handed
// over, by name, and takes the variable out of the environment.
func TakeHandover() (map[string]*os.File, error) {
	value := os.Getenv(handoverVariable)
	os.Unsetenv(handoverVariable)
	files := make(map[string]*os.File)
	if value == "" {
		return files, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < firstListenFD {
		return files, fmt.Errorf("take over files: %s=%q is no file descriptor", handoverVariable, value)
	}
	memfd := os.NewFile(uintptr(fd), "memfd:files")
	defer memfd.Close()
	list, err := io.ReadAll(io.NewSectionReader(memfd, 0, maxHandover))
	if err != nil {
		return files, fmt.Errorf("take over files: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		number, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fd, err := strconv.Atoi(number)
		if !ok || err != nil || fd < firstListenFD {
			return files, fmt.Errorf("take over files: cannot understand %q", line)
		}
		unix.CloseOnExec(fd)
		files[name] = os.NewFile(uintptr(fd), name)
	}
	return files, nil
}

// maxHandover bounds the list of files in bytes.
const maxHandover = 16 << 20

// Survives reports whether what is kept outlives the process without an exec.
func (k *Keeper) Survives() bool { return k.store != nil }

// Settle waits until the store has been told everything, or ctx ends.
func (k *Keeper) Settle(ctx context.Context) {
	if k.store == nil {
		return
	}
	done := make(chan struct{})
	k.mu.Lock()
	k.order(keepOrder{then: func() { close(done) }})
	k.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
