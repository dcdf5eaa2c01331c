package supervisor

// slots bounds how many attempts have an unready instance at the same time.
type slots struct {
	limit int
	taken int
	queue []*attempt
}

// request gives the attempt a slot now, or as soon as one is free. granted is
// called then.
func (l *slots) request(t *attempt) (granted bool) {
	if l.taken < l.limit && len(l.queue) == 0 {
		l.taken++
		return true
	}
	l.queue = append(l.queue, t)
	return false
}

// release gives a slot back and returns the attempt that has it now, or nil.
func (l *slots) release() *attempt {
	l.taken--
	return l.next()
}

// next gives a free slot to the first attempt that waits for one.
func (l *slots) next() *attempt {
	if len(l.queue) == 0 || l.taken >= l.limit {
		return nil
	}
	first := l.queue[0]
	l.queue = l.queue[1:]
	l.taken++
	return first
}

// withdraw removes an attempt from those that wait.
func (l *slots) withdraw(t *attempt) {
	for i, waiting := range l.queue {
		if waiting == t {
			l.queue = append(l.queue[:i], l.queue[i+1:]...)
			return
		}
	}
}
