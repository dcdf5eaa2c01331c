// Package http1 reads and writes HTTP/1.1 as a proxy needs it: heads of
// requests and answers, how a body ends, chunked bodies, and the few lines that
// a proxy writes itself. It knows no connections and no routes, and holds no
// bytes but a pause's worth of offsets: the caller owns the buffers.
//
// # Life of a message
//
// The caller reads into a buffer and calls [Request.Parse] until it returns
// the length of the head. Parse reads the start line (requestline.go, target.go,
// response.go), then one field line after the other (scan.go), and, when the
// empty line has come, applies the rules that involve the fields' meaning
// (connection.go, framing.go, authority.go). What follows the head is a body
// of one [Framing]; a [ChunkReader] takes a chunked one apart (chunk.go,
// extension.go, trailer.go). The Append functions write (write.go, status.go).
//
// # Invariants
//
//   - A message is accepted only if no recipient that keeps to RFC 9110 and
//     9112 can find its end, its host or its fields elsewhere than we do. What
//     can be read in two ways is refused, even where the RFC permits a guess.
//     Leniency is left where no reading differs: one empty line before a
//     request, white space before the colon in answers (which must be removed),
//     no space after a status code, bytes in a target that browsers do not
//     escape.
//   - The outcome depends on the bytes alone, not on how they were cut into
//     reads; and a head that is bad is refused when its first bad line has come
//     (a target that is too long even before), except for rules that involve
//     several fields.
//   - A head costs time in proportion to its length, however it comes, and
//     whatever Connection names.
//   - Names in Connection never strip what frames or routes a message, or what
//     a proxy writes.
//   - An [Error] holds no byte of the message but checked field names, so that
//     it can be logged and counted. Its status is what the client is answered.
//
// # Concurrency
//
// Nothing here starts a goroutine or locks. A Request, Response or ChunkReader
// belongs to one goroutine at a time.
//
// # Cost
//
// Nothing is allocated but on errors, and while the slices of a Request grow to
// the number of fields that are usual; TestAllocations keeps it so. A head is
// gone through three times: for line ends with bytes.IndexByte, which the
// runtime does in vectors; names byte by byte with a table of classes, which
// finds the colon as well; values eight bytes at a time. Names are compared
// once, by length first, and are a [Kind] from then on. A request of a load
// generator takes 0.12 µs, a browser's of ten fields 0.35 µs (one core of an
// AMD EPYC).
//
// # Tests
//
// Tables of raw bytes and outcomes, a rule beside its nearest legal neighbour,
// each case named by its section, and each run whole, byte by byte, and in a
// buffer that moves; every byte in every place; netip as the second opinion on
// IPv6; parse, write, parse; and fuzzers with net/http as the second opinion on
// everything.
package http1
