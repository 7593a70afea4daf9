package scan

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrVector is wrapped by every error about a vector that cannot be used: wrong number of dimensions, a value that is not
// finite, or not of unit length.
var ErrVector = errors.New("scan: unusable vector")

// unitSlack is how far a vector's norm may be from 1: enough for vectors that went through 16-bit floats, little enough
// that a vector nobody normalised is found out.
const unitSlack = 0.01

func checkDim(dim int) error {
	if dim < 1 || dim > MaxDim {
		return fmt.Errorf("%w: %d dimensions, must be 1 to %d", ErrVector, dim, MaxDim)
	}
	return nil
}

// checkVector accepts a vector of dim finite values and unit length.
func checkVector(v []float32, dim int) error {
	if len(v) != dim {
		return fmt.Errorf("%w: %d dimensions, want %d", ErrVector, len(v), dim)
	}
	norm, err := finiteNorm(v)
	if err != nil {
		return err
	}
	if math.Abs(norm-1) > unitSlack {
		return fmt.Errorf("%w: length %.4g, want 1", ErrVector, norm)
	}
	return nil
}

// finiteNorm is the Euclidean length of v, or an error if v holds a NaN or an infinity.
func finiteNorm(v []float32) (float64, error) {
	var n float64
	for _, x := range v {
		n += float64(x) * float64(x)
	}
	if math.IsNaN(n) || math.IsInf(n, 0) { // the square of a finite float32 is finite in float64
		return 0, fmt.Errorf("%w: a value is not finite", ErrVector)
	}
	return math.Sqrt(n), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// sumAround is the checksum of b without the four bytes at at, which hold it.
func sumAround(b []byte, at int) uint32 {
	table := castagnoli()
	return crc32.Update(crc32.Checksum(b[:at], table), table, b[at+4:])
}
