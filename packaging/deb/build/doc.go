// Build makes the packages: .deb, .rpm and .tar.gz, for each architecture.
//
//	go run ./packaging/deb/build [-format deb,rpm,tar.gz] [-arch amd64,arm64] [-out dist]
//
// It is run in the top directory. What goes where is said in one place,
// packaging/nfpm/nfpm.yaml; this program makes the files that do not lie in the
// source (binaries, completions, compressed pages, the list of licences), and
// runs nfpm, which packaging/nfpm/go.mod pins, so that the module's own
// dependencies stay few. The .tar.gz holds what the .deb installs.
//
// # Versions
//
// They come from git: of the tag v1.2.3 the package is 1.2.3-1. Five commits
// later it is 1.2.3+5.gHASH-1, which sorts after 1.2.3 and before 1.2.4, and
// among nightly builds by the number of commits. v1.3.0-rc1 is 1.3.0~rc1, which
// sorts before 1.3.0. Without any tag the count is from the first commit on:
// 0.0.0+N.gHASH. A tree with uncommitted changes adds +dirty. In a source archive
// the file VERSION has it, and elsewhere the environment: VERSION and
// SOURCE_DATE_EPOCH.
//
// # Reproducible
//
// Two builds of a commit with one version of Go are the same, byte by byte,
// whatever the time, machine, directory and umask: times are that of the commit
// (SOURCE_DATE_EPOCH), modes are those of the description, paths are trimmed. The
// environment may have MAINTAINER, to name another maintainer.
//
// # How it is tested
//
// Versions, licences and compression by tables; and one package is built twice,
// compared, and looked into with dpkg and lintian where these are installed.
package main
