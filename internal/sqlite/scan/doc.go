// Package scan finds the vectors of one user that are nearest to a query, by a flat scan of 1-bit codes whose error is
// bounded, followed by the full-precision vectors of whatever could still be among the best.
//
// Goals: the right answer (a cosine is never an estimate, and a vector is passed over only when its bound says that it
// cannot be among the best); nothing built beforehand, so that a document can come and go at any moment; one user's
// memory apart from another's; readers that never wait for writers; a few bytes per vector, none of them seen by the
// garbage collector.
//
// # Codes
//
// RaBitQ (Gao and Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate
// Nearest Neighbor Search", SIGMOD 2024), with the direction of a Center taken out first. With ĉ the unit direction of
// the center, a vector o and a query q are
//
//	o = a·ĉ + r·u      q = b·ĉ + s·v      u, v unit and orthogonal to ĉ
//	<o,q> = a·b + r·s·<u,v>
//
// a and r are stored; of u only the signs after a random rotation P, x = sign(Pu)/√D. With t = <x,Pu>, <x,Pv>/t
// estimates <u,v> without bias, and its error has the standard deviation √((1−t²)/(t²(D−1)))·√(1−<u,v>²). Taking the
// center's direction out leaves the estimate nothing to say about what all of a user's vectors have in common, which is
// most of them in common embedding models; any center is correct, a good one makes r and s small.
//
// The query keeps four bits per dimension as bit planes, rounded up or down at random (a fixed seed), so that this
// rounding too is without bias; its variance is added to the bound. The bound stands Epsilon standard deviations above
// the estimate: one vector in six thousand, at most, is worth more than its bound. The scan compares bounds with the exact
// k-th best seen so far, so a vector of the true top k is missed with at most that probability, whatever the data.
//
// # Memory
//
// Rows stand in groups of eight, the same word of eight codes side by side, then the factors of the eight: one vector
// instruction works on eight rows, and pure Go runs at the same layout. Full groups are written once, before anybody can
// see them, into memory outside the Go heap; the last, partial group of a segment is a small immutable copy per
// snapshot. An Index is an atomic pointer to a snapshot that counts its readers; memory is returned when the last
// snapshot that shows it was let go of, never under a reader.
//
// Vectors keeps full-precision rows, filled as they are read, so that a second search need not read them again.
package scan
