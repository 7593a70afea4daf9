package scan

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	formatVersion = 1

	blockMagic   = "wscb"
	blockHeader  = 40
	blockSumAt   = 36
	factorBytes  = 12
	maxBlockRows = 1 << 24
)

// factors are what a row keeps beside its code, in the terms of the package comment.
type factors struct {
	a float32 // <o,ĉ>
	f float32 // r/(t√D): turns a sum of ±w into the estimate of r·<u,w>
	g float32 // r·√((1−t²)/(D−1))/t: the estimate's standard deviation per unit of s
}

// residual is r² as told by f and g.
func (f factors) residual(padded int) float64 {
	d := float64(padded)
	return max(0, float64(f.f)*float64(f.f)*d-float64(f.g)*float64(f.g)*(d-1))
}

// Encode makes the block of one document: the codes of its vectors, in their order, against center. Vectors must have the
// center's dimension, finite values and unit length; the error says which one has not and wraps ErrVector. A document
// without vectors has a block too. The same input makes the same bytes.
func Encode(center *Center, vectors [][]float32) ([]byte, error) {
	if len(vectors) > maxBlockRows {
		return nil, fmt.Errorf("scan: %d vectors in one document, at most %d", len(vectors), maxBlockRows)
	}
	rot := &center.rot
	rowBytes := rot.padded/8 + factorBytes
	b := make([]byte, blockHeader, blockHeader+rowBytes*len(vectors))
	copy(b, blockMagic)
	binary.LittleEndian.PutUint32(b[4:], formatVersion)
	binary.LittleEndian.PutUint64(b[8:], uint64(center.id)) //nolint:gosec // the bits of an id
	binary.LittleEndian.PutUint32(b[16:], center.sum)
	binary.LittleEndian.PutUint32(b[20:], uint32(rot.dim))      //nolint:gosec // at most MaxDim
	binary.LittleEndian.PutUint32(b[24:], uint32(len(vectors))) //nolint:gosec // at most maxBlockRows

	residual := make([]float32, rot.dim)
	rotated := make([]float32, rot.padded)
	for i, v := range vectors {
		if err := checkVector(v, rot.dim); err != nil {
			return nil, fmt.Errorf("vector %d: %w", i, err)
		}
		b = appendRow(b, center, v, residual, rotated)
	}
	binary.LittleEndian.PutUint32(b[blockSumAt:], sumAround(b, blockSumAt))
	return b, nil
}

// appendRow appends the code and factors of v; residual and rotated are scratch.
func appendRow(b []byte, c *Center, v, residual, rotated []float32) []byte {
	a := dot64(v, c.dir)
	var r2 float64
	for i, x := range v {
		y := float64(x) - float64(a*float64(c.dir[i]))
		residual[i] = float32(y)
		r2 += float64(y * y)
	}
	c.rot.apply(rotated, residual)
	var l1 float64
	for _, x := range rotated {
		l1 += math.Abs(float64(x))
	}
	for j := 0; j < len(rotated); j += wordBits {
		var word uint64
		for i, x := range rotated[j : j+wordBits] {
			if x > 0 {
				word |= 1 << i
			}
		}
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	f := factors{a: float32(a)}
	if r := math.Sqrt(r2); r > 0 && l1 > 0 {
		d := float64(len(rotated))
		t := min(1, l1/(math.Sqrt(d)*r))
		f.f = float32(r / (t * math.Sqrt(d)))
		f.g = float32(r * math.Sqrt((1-t*t)/(d-1)) / t)
	}
	for _, x := range [...]float32{f.a, f.f, f.g} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Block is a parsed view of what Encode made; it keeps the bytes it was parsed from.
type Block struct {
	center    int64
	centerSum uint32
	dim       int
	rows      int
	body      []byte
}

// ParseBlock checks every byte of b and returns the view of it. Errors wrap ErrCorrupt.
func ParseBlock(b []byte) (Block, error) {
	if len(b) < blockHeader || string(b[:4]) != blockMagic {
		return Block{}, fmt.Errorf("%w: not a block", ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != formatVersion {
		return Block{}, fmt.Errorf("%w: block of unknown version %d", ErrCorrupt, v)
	}
	dim := int64(binary.LittleEndian.Uint32(b[20:]))
	rows := int64(binary.LittleEndian.Uint32(b[24:]))
	if dim < 1 || dim > MaxDim || rows > maxBlockRows {
		return Block{}, fmt.Errorf("%w: block of %d × %d", ErrCorrupt, rows, dim)
	}
	p := Block{
		center:    int64(binary.LittleEndian.Uint64(b[8:])), //nolint:gosec // the bits of an id
		centerSum: binary.LittleEndian.Uint32(b[16:]),
		dim:       int(dim),
		rows:      int(rows),
		body:      b[blockHeader:],
	}
	if len(p.body) != p.rows*p.rowBytes() {
		return Block{}, fmt.Errorf("%w: block of %d × %d has %d bytes", ErrCorrupt, rows, dim, len(b))
	}
	if binary.LittleEndian.Uint64(b[28:]) != 0 {
		return Block{}, fmt.Errorf("%w: reserved bytes in use", ErrCorrupt)
	}
	if sumAround(b, blockSumAt) != binary.LittleEndian.Uint32(b[blockSumAt:]) {
		return Block{}, fmt.Errorf("%w: block's checksum differs", ErrCorrupt)
	}
	for i := range p.rows {
		if f := p.factors(i); !f.sane() {
			return Block{}, fmt.Errorf("%w: factors of row %d out of range", ErrCorrupt, i)
		}
	}
	return p, nil
}

// sane refuses what Encode cannot have written; it is false for a NaN.
func (f factors) sane() bool {
	const most = 1 + 2*unitSlack
	return f.a >= -most && f.a <= most && f.f >= 0 && f.f <= most && f.g >= 0 && f.g <= most
}

// Rows is the number of vectors.
func (p Block) Rows() int { return p.rows }

// Dim is their number of dimensions.
func (p Block) Dim() int { return p.dim }

// CenterID is the id of the Center the block was encoded against.
func (p Block) CenterID() int64 { return p.center }

func (p Block) words() int    { return (p.dim + wordBits - 1) / wordBits }
func (p Block) rowBytes() int { return p.words()*8 + factorBytes }

// word is word j of row i's code.
func (p Block) word(i, j int) uint64 {
	return binary.LittleEndian.Uint64(p.body[i*p.rowBytes()+8*j:])
}

func (p Block) factors(i int) factors {
	b := p.body[i*p.rowBytes()+8*p.words():]
	return factors{
		a: math.Float32frombits(binary.LittleEndian.Uint32(b)),
		f: math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
		g: math.Float32frombits(binary.LittleEndian.Uint32(b[8:])),
	}
}
