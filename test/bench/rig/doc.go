// Package rig is what the two benchmarks stand on: processes that end with the
// benchmark, a daemon to measure, and the reading of /proc.
//
// A World is the surroundings of one run: a folder below the temporary
// directory, ports, and children. Only one can be open on a machine at a time,
// as two benchmarks would measure each other; an abstract Unix socket (unix(7))
// is the lock, which the kernel lets go however the process ends.
//
// # What is started ends
//
//   - Close ends the children, the last one first, and removes the folder. A
//     benchmark calls it when it is interrupted, too.
//   - A benchmark that is killed cannot: its children get SIGTERM from the
//     kernel then (prctl(2), PR_SET_PDEATHSIG). That is bound to the thread that
//     started them, so Start is to be called from the main goroutine, after it
//     was locked to its thread.
//   - The apps of a daemon are not our children, and survive it if it is killed.
//     So they hold a leash, a connection to a socket of the World, and exit when
//     it ends (HoldLeash).
//
// # Measuring
//
// CPUTime is the CPU-time clock of a process: user and system time of all its
// threads, those that have ended included. It is what utime and stime of
// proc_pid_stat(5) tell, in nanoseconds instead of clock ticks of 10 ms.
//
// The methods of a World belong to one goroutine.
package rig
