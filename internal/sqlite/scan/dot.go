package scan

// dotLanes is how many partial sums a dot product keeps. The order of all additions is part of its definition, and no
// product is fused with an addition, so that the assembly, this file, and every machine give the same bits.
const dotLanes = 32

// dot is <a,b> in float32; len(b) ≥ len(a).
func dot(use isa, a, b []float32) float32 { return dotThen(use, a, b, b) }

// dotThen is dot, and has the memory of next, which is not empty, brought closer meanwhile.
func dotThen(use isa, a, b, next []float32) float32 {
	n := len(a) &^ (dotLanes - 1)
	b = b[:len(a)]
	var s float32
	if n > 0 {
		s = dotBlocks(use, a[:n], b[:n], next)
	}
	var tail float32
	for i := n; i < len(a); i++ {
		tail += float32(a[i] * b[i])
	}
	return s + tail
}

// dotGo is the dot product of two slices whose common length is a positive multiple of dotLanes.
func dotGo(a, b []float32) float32 {
	var lanes [dotLanes]float32
	for at := 0; at < dotLanes; at += 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		x, y := a[at:], b[at:]
		for len(x) >= 8 && len(y) >= 8 {
			p, q := (*[8]float32)(x), (*[8]float32)(y)
			s0 += float32(p[0] * q[0])
			s1 += float32(p[1] * q[1])
			s2 += float32(p[2] * q[2])
			s3 += float32(p[3] * q[3])
			s4 += float32(p[4] * q[4])
			s5 += float32(p[5] * q[5])
			s6 += float32(p[6] * q[6])
			s7 += float32(p[7] * q[7])
			if len(x) < dotLanes || len(y) < dotLanes {
				break
			}
			x, y = x[dotLanes:], y[dotLanes:]
		}
		l := (*[8]float32)(lanes[at:])
		l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7] = s0, s1, s2, s3, s4, s5, s6, s7
	}
	var v [8]float32
	for i := range v {
		v[i] = (lanes[i] + lanes[8+i]) + (lanes[16+i] + lanes[24+i])
	}
	return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

// dot64 is <a,b> summed in float64.
func dot64(a, b []float32) float64 {
	var s float64
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}
