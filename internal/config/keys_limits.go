package config

// Bounds that cgroups have (the kernel's cgroup-v2 documentation, and
// PID_MAX_LIMIT of proc_sys_kernel(5)).
const (
	maxIOWeight = 10_000
	maxTasks    = 4 << 20
)

// appLimits are the limits of the cgroup of each instance.
var appLimits = []entry[appDraft]{
	option("limits.memory_max", memorySize, "none",
		"memory that each instance may use; beyond it the kernel kills it (memory.max of its cgroup)",
		func(a *appDraft) *int64 { return &a.Limits.MemoryMax }),
	option("limits.memory_high", memorySize, "none",
		"memory beyond which each instance is slowed down and made to give some back (memory.high)",
		func(a *appDraft) *int64 { return &a.Limits.MemoryHigh }),
	option("limits.cpu_max", cpuShare, "none",
		"CPU time that each instance may use: a number of CPUs, or percent of one (cpu.max)",
		func(a *appDraft) *int { return &a.Limits.CPUMax }),
	option("limits.pids_max", limitTo(maxTasks), "none",
		"processes and threads that each instance may have (pids.max)",
		func(a *appDraft) *int { return &a.Limits.PIDsMax }),
	option("limits.io_weight", limitTo(maxIOWeight), "none",
		"share of each instance when disks are busy; what has none weighs 100 (io.weight)",
		func(a *appDraft) *int { return &a.Limits.IOWeight }),
}
