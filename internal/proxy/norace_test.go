//go:build !race

package proxy

// raceEnabled is explained in race_test.go.
const raceEnabled = false
