// Package conventions holds no code: its tests keep what the project has
// agreed on and what no compiler checks, so that nobody has to say it in a
// review.
//
//   - Each package has one doc.go, and no other file has a package comment;
//     those below internal/ say what the package owns, its invariants, its
//     concurrency, its life and how it is tested, and so are not short.
//   - Imports go downwards through the four floors of ARCHITECTURE.md; the two
//     towers do not know each other; the data plane links no parser of
//     configurations, no D-Bus and nothing that runs programs; each of the
//     larger libraries is used by one package only.
//   - No file is called utils, helpers, common or types, none has more than 500
//     lines and no function more than 60, unless a list says why.
//   - Programs end in main.go only; nothing sleeps in place of an
//     acknowledgement; nothing is left to do in comments; no file names paths
//     of the machine that it was written on.
//   - The README's table of options is the one that the configuration parser
//     makes of its own keys.
//
// The tests read the source, and each proves on a made-up source that it would
// see the fault. They change nothing.
package conventions
