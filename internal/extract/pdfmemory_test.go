package extract

import "testing"

// A sandbox keeps what it holds while it grows, moves seldom, and ends at its limit.
func TestSandbox(t *testing.T) {
	const most, step = 100 << 20, 1 << 20
	m := newSandbox(0, most)
	b := m.Reallocate(step)
	b[5] = 7
	at, moves := &b[0], 0
	for size := uint64(2 * step); size <= most; size += step {
		b = m.Reallocate(size)
		if uint64(len(b)) != size || b[5] != 7 || b[size-step] != 0 || b[size-1] != 0 {
			t.Fatalf("of %d bytes %d are there, or they are not what they were", size, len(b))
		}
		if &b[0] != at {
			at, moves = &b[0], moves+1
		}
		b[size-1] = 0 // it is there to be written
	}
	if moves != 2 {
		t.Errorf("it moved %d times, want 2", moves)
	}
	if got := m.Reallocate(most + 1); got != nil {
		t.Errorf("%d bytes beyond its limit", len(got))
	}
	m.Free()
	if b[5] != 7 {
		t.Error("who still has it cannot read it")
	}
}
