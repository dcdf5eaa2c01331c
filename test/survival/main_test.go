package survival

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"gracevisor/test/harness"
	"gracevisor/test/siege"
)

// full says that events happen as often as it takes to be sure.
var full = siege.Full

// times is how often an event happens: seldom in the short form.
func times(short, long int) int { return siege.Times(short, long) }

func TestMain(m *testing.M) {
	if err := inParallel(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := harness.Main(m)
	fmt.Print(siege.Recorded())
	os.Exit(code)
}

// inParallel lets a few tests run at the same time in the short form: they wait
// more than they work. In the long one they run one after the other, for the
// sake of the times in the table.
func inParallel() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(times(3, 1)))
}

// dice makes the source of a test's points in time, and logs its seed.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GRACEVISOR_SURVIVAL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GRACEVISOR_SURVIVAL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// pass lets a random time pass, up to a bound. It is no wait for anything: what
// it makes random is the point at which the next thing happens.
func pass(random *rand.Rand, upTo time.Duration) {
	time.Sleep(time.Duration(random.Int64N(int64(upTo))))
}
