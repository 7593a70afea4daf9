package scan

// detect asks the processor, and the operating system for the registers, what may be used.
func detect() isa {
	const (
		osxsave, avx   = 1 << 27, 1 << 28 // leaf 1, ECX
		popcnt         = 1 << 23          // leaf 1, ECX
		avx2           = 1 << 5           // leaf 7, EBX
		avx512f        = 1 << 16          // leaf 7, EBX
		avx512dq       = 1 << 17          // leaf 7, EBX
		avx512vl       = 1 << 31          // leaf 7, EBX
		vpopcntdq      = 1 << 14          // leaf 7, ECX
		ymm            = 0x06             // XCR0: SSE and AVX state
		zmm            = 0xE6             // and opmask and ZMM state
		needs1         = osxsave | avx | popcnt
		needs512       = avx512f | avx512dq | avx512vl
		featureLeaf    = 7
		firstLeaf      = 1
		highestLeafAsk = 0
	)
	if highest, _, _, _ := cpuid(highestLeafAsk, 0); highest < featureLeaf {
		return isaGo
	}
	_, _, ecx1, _ := cpuid(firstLeaf, 0)
	if ecx1&needs1 != needs1 {
		return isaGo
	}
	state := xgetbv()
	_, ebx7, ecx7, _ := cpuid(featureLeaf, 0)
	switch {
	case state&zmm == zmm && ebx7&(avx2|needs512) == avx2|needs512 && ecx7&vpopcntdq != 0:
		return isaAVX512
	case state&ymm == ymm && ebx7&avx2 != 0:
		return isaAVX2
	default:
		return isaGo
	}
}

func scanGroupsASM(mem []uint64, words, n int, query []uint64, c *coeffs, est, ub []float32, masks []uint8) {
	scanGroupsAVX512(&mem[0], words, n, &query[0], c, &est[0], &ub[0], &masks[0])
}

func dotBlocks(use isa, a, b, next []float32) float32 {
	if use == isaGo {
		return dotGo(a, b)
	}
	return dotAVX2(&a[0], &b[0], len(a)/dotLanes, &next[0])
}

//go:noescape
func scanGroupsAVX512(mem *uint64, words, n int, query *uint64, c *coeffs, est, ub *float32, masks *uint8)

// dotAVX2 is dotGo over n blocks of dotLanes floats; n ≥ 1. It asks for the memory of as many floats at next, which may be
// any address: the processor ignores a bad one.
//
//go:noescape
func dotAVX2(a, b *float32, n int, next *float32) float32

func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)

func xgetbv() (eax uint32)
