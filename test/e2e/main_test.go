package e2e

import (
	"flag"
	"os"
	"testing"

	"gracevisor/test/harness"
)

// inParallel is how many tests run at the same time. They wait more than they
// work, so this is more than there are processors.
const inParallel = "4"

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", inParallel); err != nil {
			panic(err)
		}
	}
	return harness.Main(m)
}
