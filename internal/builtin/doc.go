// Package builtin is the embedding model inside the binary: meaning without a
// key, a server, a download or a wait.
//
// Goals: a question in microseconds on one core; no allocation per token and no
// copy of the weights; the same vector to the bit on every platform; every text
// has a vector, in time that grows with its length.
//
// Design. The model is static: each token of the vocabulary has one vector,
// learned so that the sum over a text points where a small transformer's vector
// of the whole text points (the method of model2vec, trained further; the
// recipe, the teacher and its licence are in tools/distill). What the transformer knows of word order and
// of context is lost, and what is left costs one addition of a row per token.
//
//	text → scanner   normalisation, words, WordPiece: the teacher's tokenizer,
//	                 equal to the reference on every code point
//	     → sum       Σ weight × int8 row, in integers: exact, so that neither the
//	                 order of additions nor fused instructions can show
//	     → unit      in float64, one rounding per operation, to float32
//
// The file holds the tokenizer's tables, the vocabulary and the rows. It is
// embedded as a string, which the linker puts into the read-only part of the
// binary: it is mapped, not loaded, and shared by all who use it.
//
// A word that the vocabulary cannot spell, such as one of an unknown script, is
// not dropped: its pairs of characters stand for directions drawn from their
// hash, which hardly correlate with each other or with anything learned. So two
// texts are near when they share such words, and far when they do not.
package builtin
