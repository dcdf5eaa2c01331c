//go:build !race

package harness

// raceEnabled says whether the test, and so the binaries, watch for races.
const raceEnabled = false
