// Gracevisor-generator tells the service manager what gracevisor.socket is to
// listen on, so that nobody has to write the addresses of gracevisor.yaml a
// second time. It is a generator in the sense of systemd.generator(7):
//
//	gracevisor-generator NORMAL-DIR [EARLY-DIR LATE-DIR]
//
// run by the service manager at each boot, before the file systems are mounted,
// and at each daemon-reload.
//
// It writes the drop-in gracevisor.socket.d/50-gracevisor.conf into NORMAL-DIR,
// with a ListenStream= for each address that can be known without asking
// anybody (package socketunit says which). Without such an address there is no
// drop-in, and the unit, which has the drop-in for a condition, stays inactive.
//
// If the configuration is broken, the drop-in has the last good list: that of
// this boot, which the generator keeps itself, else the one of the plan that
// the daemon has put into force last. A drop-in that vanishes would close
// listeners at the next daemon-reload, for good as long as the service runs.
//
// Invariants:
//
//   - It fails no boot: whatever happens, the exit status is 0 (wrong usage,
//     which the service manager is not capable of, excepted).
//   - It is fast, and asks nobody: no name is resolved, no process started. It
//     reads files on the root file system and writes below /run.
//   - Whatever goes wrong is told in one line, in the kernel's log, which is
//     the only one so early (kmsg; the journal takes it over), else on standard
//     error.
//
// Tests run it on folders of their own, and compare what it writes with golden
// files; the service manager's own tools judge the unit with the drop-in.
package main
