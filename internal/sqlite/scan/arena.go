package scan

import "unsafe"

// arena is a stretch of pointer-free memory, zero when new. Large ones lie outside the Go heap, where the collector
// neither scans nor counts them and where pages that were never written cost nothing; small ones are not worth a system
// call and a mapping each. Nobody may look at an arena after free.
type arena struct {
	words  []uint64
	mapped []byte // nil: words are on the heap
}

// mapFrom is the size in bytes from which an arena is mapped.
const mapFrom = 64 << 10

func newArena(words int) (arena, error) {
	if words*8 < mapFrom {
		return arena{words: make([]uint64, words)}, nil
	}
	return mapArena(words)
}

func (a *arena) free() {
	mapped := a.mapped
	a.words, a.mapped = nil, nil
	if mapped != nil {
		unmap(mapped)
	}
}

// floats is the arena as float32.
func (a *arena) floats() []float32 {
	if len(a.words) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&a.words[0])), 2*len(a.words)) //nolint:gosec // the arena is pointer-free, aligned and at least as long
}

// uints is the arena as uint32.
func (a *arena) uints() []uint32 {
	if len(a.words) == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(&a.words[0])), 2*len(a.words)) //nolint:gosec // the arena is pointer-free, aligned and at least as long
}
