// Package postgres is the store in Postgres with pgvector, in one of two
// layouts: tables of its own ([Open]), and those of another system, read as they
// are ([Adopt]).
//
// Goals: any number of servers on one database, any of which may vanish at any
// moment; what one has done the next call on another sees; a user finds exactly
// their own, however many others there are; every wait ends with the caller's
// ctx, whatever the database does, and all is well again by itself when the
// database is.
//
// # Connections
//
// Two pools, one for searches and one for all else, so that ingest never takes a
// search's place. A connection is waited for only part of the caller's time. A
// call is one transaction (a large write several), and what the server must know
// travels with its BEGIN as SET LOCAL: whose rows may be seen, how long a
// statement may take (a little less than the caller has, so that the server
// gives up first and the connection stays good), how long to keep the
// transaction of a client that has fallen silent. So nothing stays behind on the
// server between two transactions, and a pooler that hands out connections by
// the transaction is fine; there are no prepared statements. A caller who leaves
// is followed by a cancel request. A commit that was sent is waited for a moment
// beyond the deadline, because what happened must not be told as not happened.
//
// # Own layout
//
// Every table but the small ones is hash-partitioned by owner, a hash of the
// user's name, and row-level security admits a transaction only to the owner it
// has named; the queue, which is everybody's, sees documents but nothing in
// them. This catches mistakes of the program; it is not a wall against someone
// who may send SQL of their own.
//
// A document is a row, and the row is the job: lease, cancel, delete and publish
// are changes of it in one transaction, which fences off whoever lost the lease.
// What a document holds hangs on its body, a number used once; letting go of a
// document lets go of the body, and rows are swept in small pieces afterwards.
// Leases are counted by the database's clock. So is the one on the move of all
// documents to another model, which is a row that what only its holder may do
// locks against being taken.
//
// Words: publishing stores the document's posting segment. The first search of a
// user loads the segments into an index in memory; every search compares the
// index with the user's generation in its own snapshot, and catches up when it
// is behind. So both halves of a search show the same documents, on every
// server.
//
// Vectors are compared one by one, found by owner, body and model. Where a user
// has many, an index (HNSW) of their partition and model is made in the
// background, and searched with iterative scans; what it finds is compared in
// full precision and checked against what can be found, and when it is too
// little all are compared after all. There is never an index over all users.
//
// # Adopted layout
//
// The columns say what there is. Nothing is written and no object made: words
// are read from the passages into the index in memory, document by document, and
// read again when a document's rows have changed (by number and xmin). Vectors
// are compared one by one, past any index the tables have, but of a user who has
// a large part of them: then through that index, if it finds enough. What the
// tables are like is looked up now and then, and is the same during one call.
//
// # Reading order
//
// config.go, address.go, database.go (transactions), errors.go, schema.go and
// schema (what lies where), store.go; documents.go, add.go, bodies.go, remove.go;
// queue.go, stage.go, vectors.go, segment.go, publish.go, reembed.go, lease.go, sweep.go (the
// way of one document); view.go, index.go, cache.go, load.go, search.go, nearest.go, graphs.go;
// adopted.go, adopted_tables.go, adopted_words.go, adopted_search.go, adopted_near.go, adopted_library.go.
package postgres
