package postings

// hashTerm is FNV-1a with the finaliser of MurmurHash3 (fmix64). It is part of
// the segment format: changing it means a new segment version. The finaliser
// spreads the hashes evenly, which the dictionary's search relies on.
func hashTerm(term string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(term) {
		h = (h ^ uint64(term[i])) * 0x100000001b3
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
