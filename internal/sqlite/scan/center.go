package scan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

const (
	centerMagic  = "wsct"
	centerHeader = 24
	centerSumAt  = 20

	// centerGrowth: a center is worth replacing when the user's vectors have grown by this factor since it was made.
	centerGrowth = 4
	// centerFloor keeps a user's first few documents from asking for a center each.
	centerFloor = 64
)

// ErrCorrupt is wrapped by every error about stored bytes that are not what was written.
var ErrCorrupt = errors.New("scan: corrupt bytes")

// Center is the mean of (some of) a user's vectors; its direction is what Encode takes out of each vector before it keeps
// only signs. It is immutable and may be shared.
type Center struct {
	id      int64
	mean    []float32
	sum     uint32 // of the mean's bits: a block must meet the very center it was encoded against
	dir     []float32
	rotated []float32 // dir, rotated and padded
	rot     rotation
}

// NewCenter makes a center of a mean vector; its length is the dimension of every vector encoded against it (1 to
// MaxDim), its values must be finite, and its norm does not matter (a zero mean takes nothing out). The id is the
// caller's and is written into every block.
func NewCenter(id int64, mean []float32) (*Center, error) {
	if err := checkDim(len(mean)); err != nil {
		return nil, err
	}
	norm, err := finiteNorm(mean)
	if err != nil {
		return nil, fmt.Errorf("scan: center %d: %w", id, err)
	}
	c := &Center{id: id, mean: append([]float32(nil), mean...), rot: newRotation(len(mean))}
	c.dir = make([]float32, len(mean))
	if norm > 0 {
		for i, x := range mean {
			c.dir[i] = float32(float64(x) / norm)
		}
	}
	c.rotated = make([]float32, c.rot.padded)
	c.rot.apply(c.rotated, c.dir)
	c.sum = crc32.Checksum(c.meanBytes(nil), castagnoli())
	return c, nil
}

// ID is the id given to NewCenter.
func (c *Center) ID() int64 { return c.id }

// Dim is the number of dimensions of the vectors encoded against c.
func (c *Center) Dim() int { return len(c.mean) }

// bytes is the memory c takes.
func (c *Center) bytes() int64 {
	return int64(4*(len(c.mean)+len(c.dir)+len(c.rotated)) + 8*len(c.rot.signs))
}

func (c *Center) meanBytes(b []byte) []byte {
	for _, x := range c.mean {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// AppendBinary appends the serialised center to b; ParseCenter reads it. It never fails.
func (c *Center) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, centerMagic...)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.id))        //nolint:gosec // the bits of an id
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.mean))) //nolint:gosec // at most MaxDim
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = c.meanBytes(b)
	binary.LittleEndian.PutUint32(b[start+centerSumAt:], sumAround(b[start:], centerSumAt))
	return b, nil
}

// ParseCenter reads what AppendBinary wrote. Errors wrap ErrCorrupt.
func ParseCenter(b []byte) (*Center, error) {
	if len(b) < centerHeader || string(b[:4]) != centerMagic {
		return nil, fmt.Errorf("%w: not a center", ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != formatVersion {
		return nil, fmt.Errorf("%w: center of unknown version %d", ErrCorrupt, v)
	}
	dim := int64(binary.LittleEndian.Uint32(b[16:]))
	if dim < 1 || dim > MaxDim || int64(len(b)) != centerHeader+4*dim {
		return nil, fmt.Errorf("%w: center of %d dimensions in %d bytes", ErrCorrupt, dim, len(b))
	}
	if sumAround(b, centerSumAt) != binary.LittleEndian.Uint32(b[centerSumAt:]) {
		return nil, fmt.Errorf("%w: center's checksum differs", ErrCorrupt)
	}
	mean := make([]float32, dim)
	for i := range mean {
		mean[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[centerHeader+4*i:]))
	}
	id := int64(binary.LittleEndian.Uint64(b[8:])) //nolint:gosec // the bits of an id
	c, err := NewCenter(id, mean)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return c, nil
}

// CenterDue reports whether a user who has (or is about to have) total vectors should get a new center, the newest one
// having been made of atLast vectors (0: there is none yet). Blocks of older centers stay valid, their bounds are only
// wider than they could be; a user of n vectors ends with about log₄ n centers.
func CenterDue(total, atLast int) bool {
	if total <= 0 {
		return false
	}
	return atLast <= 0 || total >= centerGrowth*max(atLast, centerFloor)
}

// Mean sums vectors up for NewCenter. Not for concurrent use.
type Mean struct {
	sum []float64
	n   int
}

// NewMean returns the empty mean of vectors of dim dimensions (1 to MaxDim).
func NewMean(dim int) (*Mean, error) {
	if err := checkDim(dim); err != nil {
		return nil, err
	}
	return &Mean{sum: make([]float64, dim)}, nil
}

// Add takes one vector into the mean; the rules for it are those of Encode.
func (m *Mean) Add(v []float32) error {
	if err := checkVector(v, len(m.sum)); err != nil {
		return err
	}
	for i, x := range v {
		m.sum[i] += float64(x)
	}
	m.n++
	return nil
}

// Center makes the center of the vectors taken in (a zero mean when there were none).
func (m *Mean) Center(id int64) (*Center, error) {
	mean := make([]float32, len(m.sum))
	for i, x := range m.sum {
		mean[i] = float32(x / float64(max(m.n, 1)))
	}
	return NewCenter(id, mean)
}
