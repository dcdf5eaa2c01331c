package process

// LookUp finds the uid and primary gid of a user, as an instance gets them.
func LookUp(username string) (uid, gid int, err error) {
	who, err := resolve(username)
	if err != nil {
		return -1, -1, err
	}
	return who.uid, who.gid, nil
}

// maxDescent bounds the way from a process up to its ancestors.
const maxDescent = 64

// Owns reports whether a living process belongs to the instance.
func (p *Process) Owns(pid int) bool {
	if pid == p.PID {
		return true
	}
	for _, member := range p.members() {
		if member == pid {
			return true
		}
	}
	for range maxDescent {
		stat, err := readStat(pid)
		switch {
		case err != nil || pid <= 1:
			return false
		case stat.session == p.PID, stat.group == p.PID, stat.parent == p.PID:
			return true
		}
		pid = stat.parent
	}
	return false
}
