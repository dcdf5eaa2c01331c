// Package config reads the configuration of gracevisor and turns it into a
// Plan. Nothing else in the program knows that the configuration is YAML.
//
// # What it owns
//
// The names, types and defaults of all keys (the files keys_*.go, one entry per
// key, from which the readers, the suggestions for misspelt keys and the option
// table of the README are made), and the wording and placing of everything that
// can be wrong with a configuration.
//
// # The way of a configuration
//
//	files ──parse──▶ node trees ──check──▶ drafts ──resolve──▶ Plan
//
// Each step leaves nothing of its concern to the next one:
//
//   - parse (files.go, document.go, grow.go): one bounded read per file, YAML
//     to a tree whose nodes know their place; aliases are followed and merge
//     keys applied here, within bounds, so that nothing later needs to know of
//     them. syntax.go finds the place of what the YAML parser refuses.
//   - check (settings.go, the files value_*.go and check*.go): every key against
//     its entry, then what concerns several keys or several apps. All faults of
//     all files are gathered; nothing stops at the first one.
//   - resolve (resolve.go): inheritance, absolute paths, derived log files.
//     It cannot fail and is reached only without faults.
//
// # Invariants
//
//   - A default is written in one place, the entry of its key, in the words
//     that a user would use for it, and is read by the reader of that key.
//   - Load has no side effects: it reads the files of the configuration, the
//     working directory and the user database, and writes nothing.
//   - Input is bounded: file size, nesting, values after the expansion of
//     aliases, faults reported. No input makes the package panic.
//   - A fault never quotes the value of an environment variable or a command:
//     faults are logged, secrets are not.
//   - Faults are sorted by file, line and column, so that they are the same
//     for the same files.
//
// # Concurrency
//
// There is none: Load runs in its caller's goroutine and starts no other. It
// may be called from several at once. A Plan is never written to after Load
// returned it.
//
// # How it is tested
//
// Golden pairs in testdata (a configuration and its faults; -update writes
// them), tables driven by Keys that try wrong and right values on every key,
// and a fuzz test which holds that no input panics, that every fault lies
// inside its file, and that an accepted configuration survives JSON.
package config
