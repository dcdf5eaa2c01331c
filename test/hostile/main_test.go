package hostile

import (
	"os"
	"testing"

	"gracevisor/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
