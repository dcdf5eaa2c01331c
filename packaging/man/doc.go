// Package man holds the manual pages, in mdoc (groff_mdoc(7)), and keeps them in
// step with the programs.
//
// The option lists of gracevisor.yaml(5) are written from the keys of package
// config: "go test ./packaging/man -update" after a key has changed. What
// gracevisorctl(1) says of commands and flags is written by hand; a test holds
// that none of them is missing and that there are no others.
//
// The pages are also rendered by man and checked by mandoc, where these are
// installed: a warning is a failure.
//
// Nothing links this package; it exists for its tests.
package man
