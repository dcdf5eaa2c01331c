package activation

import (
	"context"
	"fmt"
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

	mu     sync.Mutex
	files  map[string]*os.File
	orders []keepOrder
	filled chan struct{}
	failed bool
}

// keepOrder is something that the store has to be told.
type keepOrder struct {
	name string
	file *os.File // nil: remove
	then func()
}

// NewKeeper makes one that keeps nothing yet. store may be nil.
func NewKeeper(log *slog.Logger, store *FDStore) *Keeper {
	return &Keeper{log: log, store: store, files: make(map[string]*os.File), filled: make(chan struct{}, 1)}
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
	if old := k.files[name]; old != nil {
		old.Close()
	}
	k.files[name] = dup
	if k.store == nil {
		if then != nil {
			go then()
		}
		return nil
	}
	k.order(keepOrder{name, dup, then})
	return nil
}

// Adopt keeps a file that is in the store already.
func (k *Keeper) Adopt(name string, file *os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.files[name]; old != nil && old != file {
		old.Close()
	}
	k.files[name] = file
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
	if o.name == "" {
		return k.store.Barrier(ctx)
	}
	if o.file == nil {
		return k.store.Remove(keptPrefix + o.name)
	}
	k.mu.Lock()
	current := k.files[o.name] == o.file
	k.mu.Unlock()
	if !current {
		return nil // it was replaced or dropped meanwhile
	}
	return k.store.Put(ctx, keptPrefix+o.name, o.file)
}

// handoverVariable tells the files to the program that is executed next, as
// FD=NAME pairs separated by commas.
const handoverVariable = "GRACEVISOR_FDS"

// PrepareExec makes the kept files stay open over an exec, and returns the
// variable that tells of them. Undo takes that back if the exec fails. The
// caller holds syscall.ForkLock, so that no child inherits them by accident.
func (k *Keeper) PrepareExec() (variable string, undo func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var pairs []string
	for name, file := range k.files {
		raw, rawErr := file.SyscallConn()
		if rawErr != nil {
			return "", nil, fmt.Errorf("hand over %s: %w", name, rawErr)
		}
		_ = raw.Control(func(fd uintptr) {
			_, err = unix.FcntlInt(fd, unix.F_SETFD, 0)
			pairs = append(pairs, strconv.Itoa(int(fd))+"="+name)
		})
		if err != nil {
			return "", nil, fmt.Errorf("hand over %s: %w", name, err)
		}
	}
	slices.Sort(pairs)
	return handoverVariable + "=" + strings.Join(pairs, ","), k.closeOnExec, nil
}

func (k *Keeper) closeOnExec() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, file := range k.files {
		if raw, err := file.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
		}
	}
}

// Executed reports whether the program before an exec has handed files over.
func Executed() bool { return os.Getenv(handoverVariable) != "" }

// TakeHandover returns the files that the program before the exec has handed
// over, by name, and takes the variable out of the environment.
func TakeHandover() map[string]*os.File {
	value := os.Getenv(handoverVariable)
	os.Unsetenv(handoverVariable)
	files := make(map[string]*os.File)
	for pair := range strings.SplitSeq(value, ",") {
		number, name, ok := strings.Cut(pair, "=")
		fd, err := strconv.Atoi(number)
		if !ok || err != nil || fd < firstListenFD {
			continue
		}
		unix.CloseOnExec(fd)
		files[name] = os.NewFile(uintptr(fd), name)
	}
	return files
}

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
