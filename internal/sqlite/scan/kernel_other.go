//go:build !amd64

package scan

func detect() isa { return isaGo }

func scanGroupsASM(mem []uint64, words, n int, query []uint64, c *coeffs, est, ub []float32, masks []uint8) {
	scanGroupsGo(mem, words, n, query, c, est, ub, masks)
}

func dotBlocks(_ isa, a, b, _ []float32) float32 { return dotGo(a, b) }
