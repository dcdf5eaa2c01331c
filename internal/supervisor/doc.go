// Package supervisor owns the state of the apps: which are wanted, which
// instances they have, which worker generations live and what these were told.
//
// Invariants:
//
//   - One goroutine (Run) owns all state. Everything that happens reaches it as
//     a message of a closed set (messages.go); it performs nothing that can
//     block. Processes are started, ports' owners looked up and names resolved
//     in goroutines of their own, which report back as messages.
//   - Desired and actual are apart: app.desired says what an operator wants, the
//     instances say what there is.
//   - An instance steps only through the table of package lifecycle.
//   - A switch is complete when every living worker generation has acknowledged
//     the table that names the new instance. An instance gets its stop signal
//     when every generation that may have had requests on it has told that none
//     is left, or has died. Tunnels move from generation to generation
//     (moving.go): the word of one that has none any more has those asked
//     anew that it may have given them to.
//   - At most one attempt to start an instance is under way per app, and it alone
//     has an unready instance. Attempts of different apps run side by side, as
//     many as parallel_restarts.
//   - What is under way is a job with a number (job.go), which a successor goes on
//     with (jobstate.go). What happens is told to a Feed (notice.go), which never
//     makes the owner of the state wait.
//   - A successor gives each app the listeners back that it had before it
//     publishes anything (reclaim.go). No name is looked up for that; what the
//     look-up says beside it moves an app, and its failure does not.
//   - A port is an instance's from before its process exists until nothing of its
//     process group is left.
//
// Life of a restart: an operation (operation.go) makes an attempt (attempt.go),
// which waits for a slot (slots.go), takes a port and starts an instance
// (instance.go, effects.go). A worker probes it (readiness.go). When it is
// ready, the next table (routes.go) names it in the place of the old one; when
// all workers (workers.go) have acknowledged it, the operation is done, and the
// old instance drains, is stopped and forgotten.
//
// Concurrency: the exported methods may be called from any goroutine. Timers and
// goroutines only post messages; those that come too late find their instance in
// a state that ignores them.
//
// The seam to the operating system is the struct System. The tests swap it for
// one with scripted processes and workers and run on testing/synctest's clock;
// the real one is exercised by the end-to-end tests.
package supervisor
