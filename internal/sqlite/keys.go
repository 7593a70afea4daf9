package sqlite

import (
	"encoding/binary"
	"math"
)

// What the numbers of the schema are made of.
const (
	chunkBits = 20
	modelBits = 8
	kindBits  = 2
	partBits  = 18

	maxChunks = 1 << chunkBits // of one document
	maxModels = 1<<modelBits - 1
	partBytes = 1 << 20
)

// kind is what a blob is.
type kind int64

const (
	uploadBlob kind = iota
	segmentBlob
	blockBlob
	otherBlockBlob // see documents.block_kind
)

func chunkID(body int64, index int) int64 { return body<<chunkBits | int64(index) }

func chunkIndex(id int64) int { return int(id & (maxChunks - 1)) }

func vectorID(body int64, index int, model int64) int64 {
	return chunkID(body, index)<<modelBits | model
}

func blobID(body int64, k kind, part int) int64 {
	return (body<<kindBits|int64(k))<<partBits | int64(part)
}

func appendVector(b []byte, v []float32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// readVector fills dst, and reports whether b was of its length.
func readVector(dst []float32, b []byte) bool {
	if len(b) != 4*len(dst) {
		return false
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return true
}
