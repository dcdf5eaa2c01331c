// Package lifecycle is the life of an app instance as data: a table of states
// and events, and a pure function that steps through it.
//
//	Starting ─▶ Probing ─▶ Switching ─▶ Serving ─▶ Draining ─▶ Stopping ─▶ Leftovers ─▶ Gone
//	                                    ▲ │ │ ▲                   │          ▲
//	                                    │ ▼ ▼ │                   ▼          │
//	                                   Sick  Silent            Killing ──────┘
//
// What it owns: the states, the events, the effects, and for each pair of state
// and event what follows. It knows no process, no timer and no app: the
// supervisor performs the effects and reports what happens as events.
//
// Invariants:
//
//   - Every cell of the table is decided. One that must not occur is an error
//     that names both; one that changes nothing says so (Ignore).
//   - An instance gets its stop signal only from Draining, so never while a
//     request of it may be under way, unless it never served.
//   - Gone is reached only from Leftovers: the main process has ended and so has
//     everything else in its process group.
//
// Concurrency: there is none; everything is a constant or a pure function.
//
// The table is dumped to testdata/table.golden, so that a change of it is seen
// in review; tests check that every cell is decided, that every state can be
// reached and that from every state an instance can come to its end.
package lifecycle
