package extract

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
)

// font tells the size of the font of character k, as it appears on the page,
// and whether it is bold.
func (r *charReader) font(ctx context.Context, k uint64) (size float32, bold bool, err error) {
	in, s := r.in, uint64(r.in.scratch)
	v, err := in.call(ctx, "FPDFText_GetFontSize", r.text, k)
	if err != nil {
		return 0, false, err
	}
	size = float32(math.Float64frombits(v))
	ok, err := in.call(ctx, "FPDFText_GetMatrix", r.text, k, s)
	if err != nil {
		return 0, false, err
	}
	if b, read := in.mem.Read(in.scratch, 24); read && i32(ok) != 0 {
		c, d := math.Float32frombits(binary.LittleEndian.Uint32(b[8:])), math.Float32frombits(binary.LittleEndian.Uint32(b[12:]))
		size *= float32(math.Hypot(float64(c), float64(d)))
	}
	bold, err = r.bold(ctx, k)
	return size, bold, err
}

func (r *charReader) bold(ctx context.Context, k uint64) (bool, error) {
	const name = scratchSize / 2
	n, err := r.in.call(ctx, "FPDFText_GetFontInfo", r.text, k, uint64(r.in.scratch), name, uint64(r.in.scratch)+name)
	if err != nil {
		return false, err
	}
	if s := i32(n); s > 1 && s <= name {
		if b, ok := r.in.mem.Read(r.in.scratch, uint32(s)-1); ok {
			if boldName(string(b)) {
				return true, nil
			}
			flags, ok := r.in.mem.ReadUint32Le(r.in.scratch + name)
			return ok && flags&(1<<18) != 0, nil
		}
	}
	w, err := r.in.call(ctx, "FPDFText_GetFontWeight", r.text, k)
	return i32(w) >= 600, err
}

func boldName(s string) bool {
	s = strings.ToLower(s)
	for _, w := range [...]string{"bold", "black", "heavy", "-demi"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
