package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	pdfium "github.com/klippa-app/go-pdfium"
	"github.com/tetratelabs/wazero/api"
)

// instance is PDFium's C interface in one sandbox, as far as it is used here.
// Pointers are offsets into its memory. It is not safe for concurrent use.
//
// A call under a ctx that can end stops when it does, which costs a goroutine
// per call: right for what can take long. For small, fixed amounts of work,
// done hundreds of thousands of times, callers pass a ctx that cannot end
// (context.WithoutCancel) and look at theirs now and then.
type instance struct {
	mod     api.Module
	mem     api.Memory
	fns     map[string]api.Function
	stack   [8]uint64
	scratch uint32 // scratchSize bytes
	limit   uint64 // of the memory, in bytes
}

const scratchSize = 4096

var errPDFMemory = errors.New("out of the memory a PDF may use")

func bind(ctx context.Context, p pdfium.Pdfium, limit int64) (*instance, error) {
	mod, err := module(p)
	if err != nil {
		return nil, err
	}
	in := &instance{mod: mod, mem: mod.Memory(), fns: map[string]api.Function{}, limit: uint64(limit)} //nolint:gosec // validated
	if in.scratch, err = in.malloc(ctx, scratchSize); err != nil {
		return nil, err
	}
	return in, in.reserve(ctx)
}

// firstMemory is what a document of middling size comes to need. Memory that
// grows step by step is copied at each.
const firstMemory = 24 << 20

func (in *instance) reserve(ctx context.Context) error {
	p, err := in.malloc(ctx, firstMemory)
	if err != nil {
		return err
	}
	_, err = in.call(ctx, "free", uint64(p))
	return err
}

func (in *instance) fn(name string) (api.Function, error) {
	f, ok := in.fns[name]
	if !ok {
		if f = in.mod.ExportedFunction(name); f == nil {
			return nil, fmt.Errorf("this build of PDFium has no %s", name)
		}
		in.fns[name] = f
	}
	return f, nil
}

func (in *instance) call(ctx context.Context, name string, args ...uint64) (uint64, error) {
	f, err := in.fn(name)
	if err != nil {
		return 0, err
	}
	if n := max(len(args), 1); n > len(in.stack) {
		return 0, fmt.Errorf("%s: too many arguments", name)
	}
	copy(in.stack[:], args)
	if err := f.CallWithStack(ctx, in.stack[:]); err != nil {
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case uint64(in.mem.Size()) > in.limit-in.limit/8: // PDFium gives up when it gets no more
			return 0, errPDFMemory
		}
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return in.stack[0], nil
}

func (in *instance) malloc(ctx context.Context, n int) (uint32, error) {
	p, err := in.call(ctx, "malloc", uint64(n)) //nolint:gosec // lengths are not negative
	if err != nil {
		return 0, err
	}
	if p == 0 {
		return 0, errPDFMemory
	}
	return uint32(p), nil //nolint:gosec // a 32-bit memory
}

// load copies data into the sandbox and opens it. A nil error with doc 0
// means that PDFium refused; code says why.
func (in *instance) load(ctx context.Context, data []byte) (doc, code uint64, err error) {
	p, err := in.malloc(ctx, len(data))
	if err != nil {
		return 0, 0, err
	}
	if !in.mem.Write(p, data) {
		return 0, 0, errPDFMemory
	}
	doc, err = in.call(ctx, "FPDF_LoadMemDocument", uint64(p), uint64(len(data)), 0)
	if err != nil || doc != 0 {
		return doc, 0, err
	}
	code, err = in.call(ctx, "FPDF_GetLastError")
	return 0, code & math.MaxUint32, err
}

// rect reads FS_RECTF, four floats: left, top, right, bottom.
func (in *instance) rect() (r box, ok bool) {
	b, ok := in.mem.Read(in.scratch, 16)
	if !ok {
		return r, false
	}
	f := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])) }
	return box{x0: f(0), y1: f(1), x1: f(2), y0: f(3)}, true
}

// utf16 calls a function that fills a buffer with UTF-16LE and returns its
// length in bytes, terminator included. Longer texts are cut at scratchSize.
func (in *instance) utf16(ctx context.Context, name string, args ...uint64) (string, error) {
	args = append(args, uint64(in.scratch), scratchSize)
	n, err := in.call(ctx, name, args...)
	n &= math.MaxUint32
	if err != nil || n < 2 || n > scratchSize {
		return "", err
	}
	return in.readUTF16(uint32(n)), nil
}

// readUTF16 reads n bytes of UTF-16LE, terminator included, from scratch.
func (in *instance) readUTF16(n uint32) string {
	b, ok := in.mem.Read(in.scratch, n-2)
	if !ok {
		return ""
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// isTrap reports whether err is PDFium failing inside its sandbox, as it does
// on damaged files, rather than something on this side.
func isTrap(err error) bool { return strings.Contains(err.Error(), "wasm error") }

func f32(v uint64) float32 { return math.Float32frombits(uint32(v)) } //nolint:gosec // the low half holds it
func i32(v uint64) int     { return int(int32(v)) }                   //nolint:gosec // the low half holds it
