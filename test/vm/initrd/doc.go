// Initrd is the first program of the virtual machine of package vm: /init of its
// initrd. It loads the modules that lie beside it, in the order of their names,
// mounts /dev/vda, unpacks the tar archive on /dev/vdb over it, and executes
// systemd there.
package main
