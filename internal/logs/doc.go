// Package logs owns the output of the apps: it reads the pipes that instances
// write to, puts what comes into files that are rotated, remembers the last
// lines of each app, and lets clients follow them. The daemon's own log goes
// through the same files.
//
//	app ──pipe──▶ source ──▶ writer (one per path) ──▶ logFile (lumberjack)
//	              (a goroutine)  │
//	                │            └──▶ buffer (one per app) ──▶ followers
//	                └──▶ feed (a queue) ──▶ systemd's journal, if wanted
//
// Invariants:
//
//   - One writer per path in a Store, however many instances, streams and apps
//     share the file. It is closed when the last source has ended.
//   - Every byte that an app writes goes into its file, in order, unless
//     writing fails. A slow disk makes reading stop, and so pushes back through
//     the pipe. When writing fails the bytes are dropped and counted, which is
//     told once, and again with the count when it works again: an app is never
//     stopped or blocked by it.
//     A daemon that is killed loses nothing: what is not in the file is in the
//     pipe still (peek.go). One chunk at most may be in both.
//   - Sources that share a file are interleaved at line ends only, if a line is
//     shorter than the read buffer (64 KiB) and written within a moment (the
//     hold time, 200 ms). A longer or slower line arrives whole and in order,
//     but with lines of others between its parts if there are others.
//   - A line goes into the buffer of its app under the lock of its writer, so
//     that the order of a file and of the buffer is one. That is what makes it
//     possible to join file and buffer without telling a line twice.
//   - A follower that is too slow loses lines, and is told how many; it never
//     holds up an app.
//   - Neither does the journal: what it does not take in time is dropped and
//     counted, for each source alone, and told in the journal where it is
//     missing. The files have it. Both streams have the priority info there,
//     which is what journald gives to what services write, unless a line begins
//     with another (sd-daemon(3)); GRACEVISOR_STREAM tells them apart.
//   - Log files are opened only in a directory that nobody but root and the
//     daemon's own user can write, reached over no other user's symbolic link.
//     Elsewhere another user could have the daemon write where he cannot.
//
// Concurrency: each source has one goroutine, which waits in the runtime's
// poller, takes a read buffer only while there is something to read, and ends
// at end of file or by Detach. Each follower has one, which ends with its
// context. Each feed has one, which ends when its source has ended and all is
// sent or lost. A Store has one that looks after the age of files, which ends
// with Close. Locks are taken in the order writer, buffer; the lock of a Store is
// never held together with a writer's, because that one waits for the disk.
// LastLines, and Output for lines in memory, never wait for the disk.
//
// lumberjack renames and opens the files and names the rotated ones. When to
// rotate, and what to keep, is decided here (rotation.go says why).
//
// Life cycle: NewStore; Attach for each pipe; MoveDaemonLog when the
// configuration says so; Forget for a removed app; Close,
// which waits for the end of all sources. A pipe outlives the Store if the
// caller keeps a duplicate of its read end: what was not read yet is in it.
//
// The tests use real pipes, files, processes, a full file system and a datagram
// socket in journald's place, and count goroutines and file descriptors.
package logs
