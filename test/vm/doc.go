// Package vm tests in a virtual machine what a container cannot show: a kernel
// of its own has the cgroup controllers, and with them limits, the OOM killer,
// and the rule that a cgroup with controllers has no processes beside others
// below it. It is for `make test-vm`, by hand; the outcome of the last run stands
// in ARCHITECTURE.md.
//
// # How the machine is made
//
//	vda  an ext4 image of the root file system that package machine has made
//	vdb  a tar archive: the package, the test app, the guest's test program
//	     and a unit that runs it and powers off
//	kernel and modules come from Debian's linux-image-*-cloud-amd64; the initrd
//	holds one program (initrd) that loads the modules, mounts the root file
//	system, unpacks the archive over it, and executes systemd
//
// The tests of package guest run inside, and write to the serial console, which
// this package passes on. QEMU emulates the processor, so that any machine will do;
// nothing needs the network.
//
// # Invariants
//
//   - QEMU dies with the test process, in whatever way that dies.
//   - The machine has no network, and its disks are files in a temporary folder.
//   - Kernels are kept in the checkout's .cache/vm.
package vm
