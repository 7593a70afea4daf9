// Package sqlite is the embedded store: one SQLite file holds documents,
// chunks, vectors and the ingest queue, and is the one truth; what makes search
// fast is derived from it and kept in memory per user.
//
// Goals: what was acknowledged survives a power cut; a document is found whole
// or not at all, in both halves of a search; a search waits neither for ingest
// nor for another user's search beyond the cores of the machine; every wait
// ends with the caller's ctx.
//
// # The file
//
// WAL with synchronous=FULL. One connection writes, and whoever wants to write
// waits for it on a channel under their ctx; searches, loading and ingest read
// through pools of their own, so that none starves another. What a document
// holds hangs on its body, a number used once: replacing, failing, cancelling
// and deleting only let go of the body, in a transaction of a few rows however
// large the document; the rows are swept in small pieces afterwards.
//
// # The indexes
//
// Publishing stores, in the transaction that makes the document ready, its
// serialised posting segment and block of vector codes. The first search of a
// user loads them into an index of that user, which stays until memory is
// needed for others. A view says which documents of an index are visible, and
// which generation of the user's documents it shows. Publishing puts the
// document into the index hidden, commits, then replaces the view; removing
// commits, replaces the view, then takes the document out. A search reads
// inside one snapshot of the database whose generation must be that of its
// view, so that neither half can show what the other does not.
//
// # Reading order
//
// store.go, conn.go, pool.go, access.go (reading and writing), keys.go and
// schema (what lies where), documents.go, add.go, remove.go; queue.go, stage.go,
// vectors.go, publish.go (the way of one document); derive.go, center.go; reembed.go, lease.go (to another model);
// view.go, index.go, cache.go, load.go (indexes in memory); search.go, chunks.go;
// backup.go, archive.go, inspect.go, restore.go (saving it to one file).
package sqlite
