//go:build race

package proxy

// raceEnabled: the race detector makes pools forget at random, so allocations
// can not be counted.
const raceEnabled = true
