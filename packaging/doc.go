// Package packaging holds what turns the programs into a service of a machine,
// and the tests that keep it right:
//
//	systemd/  units, users, and what keeps needrestart away
//	etc/      the configuration that a package installs
//	dbus/     bus policy, activation, and the interfaces as XML
//	polkit/   the actions that rules decide about
//	man/      manual pages, in step with the programs
//	init.d/   a script for machines without systemd
//	deb/      maintainer scripts; deb/build makes all packages
//	rpm/      scriptlets
//	nfpm/     the description of the packages, and the packager's version
//
// # Invariants
//
//   - Nothing restarts gracevisor.socket: a listener that is closed refuses
//     clients.
//   - The units hold for systemd 249 and later. What needs more is left out: an
//     older one warns of each setting that it does not know.
//   - Apps inherit what gracevisor.service restricts, so there is nothing in it
//     that a web app may miss.
//   - Every script is POSIX sh and passes shellcheck.
//
// # How it is tested
//
// Here without a running systemd: systemd-analyze judges the units, with the
// drop-in that the generator writes; settings that were paid for dearly are
// named in a table, as are those that must not come back; the configuration is
// loaded as it is and with every option that it comments out; the init script
// runs a real daemon. Tools that are not installed are told and left out.
package packaging
