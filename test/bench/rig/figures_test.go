package rig

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	cases := []struct {
		values []int
		q      float64
		want   int
	}{
		{[]int{5}, 0, 5},
		{[]int{5}, 1, 5},
		{[]int{3, 1, 2}, 0, 1},
		{[]int{3, 1, 2}, 0.5, 2},
		{[]int{3, 1, 2}, 1, 3},
		{[]int{4, 3, 1, 2}, 0.5, 3},
		{[]int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, 0.9, 8},
	}
	for _, c := range cases {
		before := slices.Clone(c.values)
		if got := Quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile %v of %v is %d, want %d", c.q, c.values, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("the values were sorted in place: %v", c.values)
		}
	}
	if got := Median([]time.Duration{3, 1, 2}); got != 2 {
		t.Errorf("median is %v", got)
	}
}

func TestTable(t *testing.T) {
	table := Table{Head: []string{"case", "µs"}}
	table.Add("one", "1.5")
	table.Add("three", "12345")
	var b strings.Builder
	table.Print(&b)
	want := "" +
		"| case  |    µs |\n" +
		"| ----- | ----: |\n" +
		"| one   |   1.5 |\n" +
		"| three | 12345 |\n"
	if b.String() != want {
		t.Errorf("table:\n%swant:\n%s", b.String(), want)
	}
}

func TestCPUTime(t *testing.T) {
	before, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Ends as soon as the clock shows that this process has worked.
	for deadline := time.Now().Add(time.Minute); ; {
		after, err := CPUTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after >= before+10*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the clock shows %v after a minute of work", after-before)
		}
	}
	if _, err := CPUTime(endedProcess(t)); err == nil {
		t.Error("a process that has ended has a clock")
	}
}

// endedProcess is the pid of a process that has been reaped.
func endedProcess(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestMemoryOf(t *testing.T) {
	before, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const more = 64 << 20
	block := make([]byte, more)
	for n := 0; n < len(block); n += 4 << 10 {
		block[n] = 1
	}
	after, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.Resident < before.Resident+more/2 || after.Proportional < before.Proportional+more/2 {
		t.Errorf("before %+v, with %d bytes more %+v", before, len(block), after)
	}
	if after.Proportional > after.Resident {
		t.Errorf("the share is more than the whole: %+v", after)
	}
	if block[0] != 1 { // keeps it alive
		t.Error("memory is lost")
	}
	if _, err := MemoryOf(endedProcess(t)); err == nil {
		t.Error("a process that has ended has memory")
	}
}

func TestChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 1000 & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	children, err := Children(cmd.Process.Pid)
	if err != nil || len(children) != 1 {
		t.Errorf("children of the shell: %v, %v", children, err)
	}
	for _, pid := range children {
		child, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Kill(); err != nil {
			t.Error(err)
		}
	}
	_ = cmd.Wait() // with the status of the child that was killed
	if _, err := Children(cmd.Process.Pid); err == nil {
		t.Error("a process that has ended has children")
	}
}

func TestMachine(t *testing.T) {
	if m := Machine(); !strings.Contains(m, "cores, Linux ") || strings.Contains(m, "unknown") || strings.Contains(m, "\n") {
		t.Errorf("machine is %q", m)
	}
}
