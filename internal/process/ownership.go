package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// OwnsListener reports whether a socket that listens on a TCP port, on any
// address, belongs to the instance, and whether one does that does not. Neither
// means that nobody listens. An error that is fs.ErrPermission means that
// somebody listens and that it may not be known who: an app with file
// capabilities of its own, say, under a daemon that is not root.
func (p *Process) OwnsListener(port int) (owned, stranger bool, err error) {
	inodes, err := tcpListeners(port)
	if err != nil {
		return false, false, err
	}
	return p.ownsAny(inodes)
}

// ownsAny looks for sockets among the descriptors of the instance: those of the
// main process first, which nearly always has them; then of what is below it and
// of strays; a walk through all processes comes only when there are still
// sockets without an owner.
func (p *Process) ownsAny(inodes map[uint64]bool) (owned, stranger bool, err error) {
	s := search{wanted: inodes, seen: make(map[int]bool)}
	steps := []func() []int{p.main, p.members, p.descendants, p.strayTrees, p.sessionMembers}
	for _, pids := range steps {
		if len(s.wanted) == 0 {
			break
		}
		for _, pid := range pids() {
			s.visit(pid)
		}
	}
	if !s.found && s.refused != nil && len(s.wanted) > 0 {
		return false, false, s.refused
	}
	return s.found, len(s.wanted) > 0, nil
}

// search is the state of ownsAny.
type search struct {
	// wanted are the inodes whose owner has not been found.
	wanted map[uint64]bool
	found  bool
	seen   map[int]bool
	// refused is why some process could not be looked at.
	refused error
}

func (s *search) visit(pid int) {
	if s.seen[pid] {
		return
	}
	s.seen[pid] = true
	err := asOwner(pid, func() error { return s.scan(pid) })
	if err != nil && !vanished(err) {
		s.refused = fmt.Errorf("look at descriptors of pid %d: %w", pid, err)
	}
}

func (s *search) scan(pid int) error {
	dir, err := os.Open(procPath(pid, "fd"))
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		target, err := os.Readlink(procPath(pid, "fd/"+name))
		if vanished(err) {
			continue
		}
		if err != nil {
			return err
		}
		inode, ok := socketInode(target)
		if ok && s.wanted[inode] {
			s.found = true
			delete(s.wanted, inode)
		}
	}
	return nil
}

// socketInode reads "socket:[123]".
func socketInode(target string) (uint64, bool) {
	number, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}

// main is the main process, as long as its pid is known to be its own.
func (p *Process) main() []int {
	p.reaper.mu.Lock()
	defer p.reaper.mu.Unlock()
	if p.reaped {
		return nil
	}
	return []int{p.PID}
}

func (p *Process) descendants() []int {
	var pids []int
	for _, pid := range p.main() {
		pids = below(pid)
	}
	return pids
}

// strayTrees are the strays of the instance and what is below them.
func (p *Process) strayTrees() []int {
	p.reaper.mu.Lock()
	strays, _ := p.strays()
	p.reaper.mu.Unlock()
	var pids []int
	for _, stray := range strays {
		pids = append(append(pids, stray.pid), below(stray.pid)...)
	}
	return pids
}

// sessionMembers are those who have lost every tie to the main process but its
// session or group.
func (p *Process) sessionMembers() []int {
	if p.main() == nil && exists(p.PID) {
		// The number is another's now, so nothing is left of ours.
		return nil
	}
	all, err := allProcesses()
	if err != nil {
		return nil
	}
	var pids []int
	for _, s := range all {
		if s.session == p.PID || s.group == p.PID {
			pids = append(pids, s.pid)
		}
	}
	return pids
}

// below lists the descendants of pid. What ends or begins meanwhile may be
// missing.
func below(pid int) []int {
	var pids []int
	queue := []int{pid}
	for len(queue) > 0 {
		children, err := childrenOf(queue[0])
		queue = queue[1:]
		if err != nil {
			continue
		}
		pids = append(pids, children...)
		queue = append(queue, children...)
	}
	return pids
}
