package extract

import (
	"slices"

	"github.com/tetratelabs/wazero/experimental"
)

// sandbox is the memory of one PDFium instance. It is Go's, so that what is left of
// an instance that was broken off can still be read, and goes when nobody has it.
//
// It grows in few steps: each is a copy, and what was before stays until the next
// garbage collection. Grown by append, which is wazero's own way, a PDF of 1 KB that
// unpacks without end took twice its limit, and two of them more than a server of 2 GiB has.
type sandbox struct {
	buf []byte
	max uint64
}

func newSandbox(_, most uint64) experimental.LinearMemory { return &sandbox{max: most} }

// sandboxSteps are the capacities below the limit. Most documents never leave the first.
func sandboxSteps() []uint64 { return []uint64{32 << 20, 96 << 20, 224 << 20} }

// Reallocate gives size bytes with the content of before, and zeros behind; nil when
// it is more than the limit.
func (s *sandbox) Reallocate(size uint64) []byte {
	if size > s.max {
		return nil
	}
	if size > uint64(cap(s.buf)) {
		room := s.max
		if i := slices.IndexFunc(sandboxSteps(), func(step uint64) bool { return step >= size }); i >= 0 {
			room = min(room, sandboxSteps()[i])
		}
		grown := make([]byte, len(s.buf), room)
		copy(grown, s.buf)
		s.buf = grown
	}
	s.buf = s.buf[:size]
	return s.buf
}

// Free implements [experimental.LinearMemory].
func (s *sandbox) Free() { s.buf = nil }
