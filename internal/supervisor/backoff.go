package supervisor

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPause comes before the second try; each further one is twice as
	// long, up to longestPause.
	firstPause   = 200 * time.Millisecond
	longestPause = 30 * time.Second
	// healthyRun is how long an instance has to have served for its end to
	// count as the first failure again.
	healthyRun = 10 * time.Second
)

// pauseAfter is the pause after a number of failures in a row: none at first,
// then growing, with up to a quarter more or less so that apps that failed
// together do not try again together.
func pauseAfter(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	pause := longestPause
	if failures < 16 {
		pause = min(firstPause<<(failures-1), longestPause)
	}
	return pause*3/4 + rand.N(pause/2)
}

// healthyWorker is that of a worker: one that has served at all is replaced at
// once, as nobody serves meanwhile.
const healthyWorker = time.Second

// crashes counts ends of workers that came too soon after their beginning.
type crashes struct{ inARow int }

// pause notes the end of one that lived for a time, and tells how long to wait
// before the next is begun.
func (c *crashes) pause(lived time.Duration) time.Duration {
	if lived >= healthyWorker {
		c.inARow = 0
	}
	c.inARow++
	return pauseAfter(c.inARow - 1)
}
