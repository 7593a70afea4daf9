package extract

// box is a rectangle in points, y upwards: x0 ≤ x1, y0 ≤ y1.
type box struct{ x0, y0, x1, y1 float32 }

func (b box) height() float32 { return b.y1 - b.y0 }
func (b box) width() float32  { return b.x1 - b.x0 }

func (b box) join(o box) box {
	return box{min(b.x0, o.x0), min(b.y0, o.y0), max(b.x1, o.x1), max(b.y1, o.y1)}
}

// overlapX is how far the two share columns; negative: the gap between them.
func (b box) overlapX(o box) float32 { return min(b.x1, o.x1) - max(b.x0, o.x0) }

// overlapY is how far the two share rows; negative: the gap between them.
func (b box) overlapY(o box) float32 { return min(b.y1, o.y1) - max(b.y0, o.y0) }

// sane keeps out what is not a number, and coordinates no page has.
func (b box) sane() bool {
	const far = 1e6
	return b.x0 > -far && b.y0 > -far && b.x1 < far && b.y1 < far && b.x1 >= b.x0 && b.y1 > b.y0
}

// turn gives the box as it is seen when text turned q quarters clockwise is
// held upright.
func (b box) turn(q int) box {
	switch q {
	case 1:
		return box{-b.y1, b.x0, -b.y0, b.x1}
	case 2:
		return box{-b.x1, -b.y1, -b.x0, -b.y0}
	case 3:
		return box{b.y0, -b.x1, b.y1, -b.x0}
	default:
		return b
	}
}

func abs(f float32) float32 { return max(f, -f) }
