package scan

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// slabBytes is about the size of the first two slabs; each later one is as large as all before it, so that a user with
	// few vectors has little memory and one with many has it in few pieces. Pages are only taken when written.
	slabBytes = 128 << 10
	// hugeFrom is the size from which a slab is put on large pages, which may leave half of it unused for a while.
	hugeFrom = 16 << 20
)

// What a row's slot holds: nothing yet, a claim by somebody who is filling it, or the row's place in Vectors plus
// slotFilled.
const (
	slotEmpty uint32 = iota
	slotClaimed
	slotFilled
)

// Vectors keeps full-precision vectors of one Index outside the Go heap, filled as they are read, up to a limit in bytes.
// When the limit is reached further rows are read through the Fetcher each time; nothing is evicted but the rows of
// documents that were removed (when the Index packs its memory). Readers and fillers take no lock: a filler claims a
// row's slot by compare-and-swap, fills the row, and then publishes it.
//
// A Vectors belongs to the Index it was given to, which returns the memory when it is closed.
type Vectors struct {
	dim   int
	shift int // rows of the first slab, as a power of two
	rows  int64
	slabs []atomic.Pointer[arena]
	next  atomic.Int64 // rows handed out for the first time
	held  atomic.Int64 // rows in use
	owned atomic.Bool
	refs  atomic.Int64

	// mu is held for a few instructions, and a claim that would have to wait goes without.
	mu   sync.Mutex
	free []uint32
}

// NewVectors makes room for at most limit bytes of vectors of dim dimensions. A limit too small for one vector is legal
// and keeps none.
func NewVectors(dim int, limit int64) (*Vectors, error) {
	if err := checkDim(dim); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("scan: a limit of %d bytes for vectors", limit)
	}
	v := &Vectors{dim: dim, shift: bits.Len(uint(slabBytes/(4*dim))) - 1}
	v.rows = min(limit/int64(4*dim), 1<<31)
	v.slabs = make([]atomic.Pointer[arena], bits.Len64(uint64(v.rows)>>v.shift)+1) //nolint:gosec // not negative
	v.refs.Store(1)
	return v, nil
}

// Bytes is the memory in use.
func (v *Vectors) Bytes() int64 {
	return v.held.Load()*int64(4*v.dim) + int64(8*len(v.slabs))
}

// Len is the number of vectors kept.
func (v *Vectors) Len() int { return int(v.held.Load()) }

// slab tells where a place is: slab 0 holds the first 1<<shift rows, slab i the 1<<(shift+i−1) that come after all before.
func (v *Vectors) slab(place uint32) (slab int, first uint32) {
	slab = bits.Len32(place >> v.shift)
	if slab > 0 {
		first = 1 << (v.shift + slab - 1)
	}
	return slab, first
}

// row is the memory of a place given out by claim.
func (v *Vectors) row(place uint32) []float32 {
	slab, first := v.slab(place)
	at := int(place-first) * v.dim
	return v.slabs[slab].Load().floats()[at : at+v.dim : at+v.dim]
}

// claim hands out a place for one row, or false when there is none to be had at once.
func (v *Vectors) claim() (uint32, bool) {
	if v.mu.TryLock() {
		if n := len(v.free); n > 0 {
			place := v.free[n-1]
			v.free = v.free[:n-1]
			v.mu.Unlock()
			v.held.Add(1)
			return place, true
		}
		v.mu.Unlock()
	}
	for {
		n := v.next.Load()
		if n >= v.rows {
			return 0, false
		}
		place := uint32(n) //nolint:gosec // less than v.rows, which is at most 1<<31
		if !v.ready(place) {
			return 0, false
		}
		if v.next.CompareAndSwap(n, n+1) {
			v.held.Add(1)
			return place, true
		}
	}
}

// ready makes sure that the slab of a place exists; false means that the system has no memory.
func (v *Vectors) ready(place uint32) bool {
	i, first := v.slab(place)
	if v.slabs[i].Load() != nil {
		return true
	}
	rows := min(int64(max(first, 1<<v.shift)), v.rows-int64(first))
	a, err := newArena((int(rows)*v.dim + 1) / 2)
	if err != nil {
		return false
	}
	if len(a.mapped) >= hugeFrom {
		preferHuge(a.mapped)
	}
	if !v.slabs[i].CompareAndSwap(nil, &a) {
		a.free() // somebody else was faster; nobody saw this one
	}
	return true
}

// giveBack takes places that no reader can reach any more.
func (v *Vectors) giveBack(places []uint32) {
	v.held.Add(-int64(len(places)))
	v.mu.Lock()
	v.free = append(v.free, places...)
	v.mu.Unlock()
}

// fill keeps vec in the row whose slot is given, unless it is kept already, is being filled, or there is no room.
func (v *Vectors) fill(slot *uint32, vec []float32) {
	if !atomic.CompareAndSwapUint32(slot, slotEmpty, slotClaimed) {
		return
	}
	place, ok := v.claim()
	if !ok {
		atomic.StoreUint32(slot, slotEmpty)
		return
	}
	copy(v.row(place), vec)
	atomic.StoreUint32(slot, place+slotFilled)
}

// kept is the vector of a slot, or nil.
func (v *Vectors) kept(slot *uint32) []float32 {
	if s := atomic.LoadUint32(slot); s >= slotFilled {
		return v.row(s - slotFilled)
	}
	return nil
}

func (v *Vectors) retain() { v.refs.Add(1) }

func (v *Vectors) release() {
	if v.refs.Add(-1) > 0 {
		return
	}
	for i := range v.slabs {
		if a := v.slabs[i].Swap(nil); a != nil {
			a.free()
		}
	}
}
