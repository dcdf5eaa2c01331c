// Package socketunit owns what gracevisor.socket, the unit of the service
// manager (systemd.socket(5)), is to listen on: the addresses of a plan in the
// words of ListenStream=, and the list of them that outlives a configuration
// that is broken.
//
// An address is listened on by the service manager if it can be known without
// asking anybody: a literal address, localhost, all addresses of the machine,
// or a path. Names, and addresses with a zone, are left to the daemon: when the
// list is made, at the very start of a boot, there is neither a network nor an
// interface to ask.
//
// # Who uses it
//
// The generator writes the addresses into a drop-in of the unit at each boot
// and daemon-reload, and keeps the list for the rest of this boot. The daemon
// saves the list of each plan that it puts into force in its state directory,
// which the generator cannot write to: it runs before the file systems are
// mounted, and within a read-only view of them (systemd.generator(7)).
//
// # Invariants
//
//   - An address of a list is one that a unit file can carry as it is, but for
//     specifiers. What is read from a file is checked by the same rule as what
//     comes from a plan: a list that is not whole is no list.
//   - A list is replaced in one step, so that a reader never finds half of it.
//   - The order is that of the plan, and there is no address twice: the second
//     of two equal addresses would make the whole unit fail.
//
// # Concurrency
//
// There is none: the package has no state. Two that save at the same time leave
// one of the two lists.
//
// # How it is tested
//
// Tables of plans and lists; real files, broken ones among them.
package socketunit
