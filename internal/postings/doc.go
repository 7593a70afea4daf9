// Package postings is the lexical index of the embedded store: BM25 over one
// user's chunks, in memory, made from segments that the store keeps.
//
// # Goals
//
// A question of everyday words over 100,000 chunks is answered in well under a
// millisecond. Ranking depends on the user's own live documents and on nothing
// else. A search never waits for a writer, sees each document whole or not at
// all, and ends soon after its context. The index is never the truth: it can be
// thrown away and loaded again at any time.
//
// # Segments
//
// Builder makes a document's terms into a segment, a row of bytes that the store
// writes in the transaction that publishes the document. It holds, for every
// term, the chunks it occurs in and how often, in the passage and in its head
// (heading, title, file name). Every segment is checked to the last byte when it
// is read.
//
// Terms are kept as 64-bit hashes, in segments and in memory. With a million
// different words two of them share a hash with a probability of 3 in 10^8, and
// then find each other's chunks; in exchange a dictionary is a sorted array of
// integers. The hash is not keyed, so somebody could make two words collide, in
// their own index only.
//
// # Index
//
// An Index is an immutable snapshot behind an atomic pointer. A snapshot is a
// list of shards of at most 65,536 chunks, so that the number of a chunk in its
// shard has 16 bits and a posting takes 3 bytes that need no decoding: 16 bits
// of chunk, 8 of frequency. All of it lies in a few large slices without
// pointers, on the Go heap: the garbage collector does not walk them, but counts
// them when it decides how far the heap may grow.
//
// A new document is a shard of its own. The writer merges shards of like size
// four at a time, so there are at most a few of each size. A removed document is
// marked in a bitmap; words, lengths and frequencies of what is marked do not
// count any more, so scores are exactly those of an index built afresh. A shard
// of which a quarter is marked is rewritten.
//
// # Search
//
// A shard is searched 2,048 chunks at a time. Bounds on what each word can give
// there are known for every 128 postings, from their largest frequency and
// shortest chunk. Words that together cannot reach the worst of the hits so far
// are not scored by themselves, but only looked up for chunks that hold one of
// the others (MaxScore), and often the whole window is skipped. Scores are
// integers, so the order of adding does not matter: hits, scores and ties are
// those of scoring everything.
//
// A word's alternatives (forms of it) are scored as one word, by the best of
// them in the chunk, with the rarity of the most frequent of them. Heads count
// as HeadWeight occurrences; a chunk's length is that of passage and head.
package postings
