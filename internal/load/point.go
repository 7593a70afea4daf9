package load

import (
	"math/rand/v2"
	"time"
)

// Point is one call, to be drawn.
type Point struct {
	At   time.Duration // when it was due, from the beginning
	Took time.Duration // 0 for what was not sent
	What PointKind
}

// PointKind is what became of it.
type PointKind int

// The kinds of points.
const (
	PointAnswered PointKind = iota
	PointDegraded
	PointRefused
	PointFailed
	PointHung
	PointNotSent
	pointKinds
)

// maxPoints is how many of each kind are kept.
const maxPoints = 2000

// Points is a sample of the calls: of each kind all, or as many as are kept,
// chosen with the same chance.
type Points struct {
	kept [pointKinds][]Point
	seen [pointKinds]int
}

// add takes p, or in the place of another, or not (Vitter's algorithm R).
func (ps *Points) add(p Point) {
	ps.seen[p.What]++
	kept := &ps.kept[p.What]
	if len(*kept) < maxPoints {
		*kept = append(*kept, p)
		return
	}
	if i := rand.N(ps.seen[p.What]); i < maxPoints {
		(*kept)[i] = p
	}
}

// Of returns those of a kind, in no order.
func (ps *Points) Of(k PointKind) []Point { return ps.kept[k] }

// Seen is how many calls of a kind there were.
func (ps *Points) Seen(k PointKind) int { return ps.seen[k] }
