package builtin

import "unicode/utf8"

// What becomes of a code point: the codes of tools/distill/tables.py.
const (
	codeKeep        = 0 // a letter
	codeDrop        = 1
	codeDropStarter = 2 // dropped, but combining marks are not ordered across it
	codeSpace       = 3
	codePunct       = 4 // a word of its own
	codeIdeograph   = 5 // a word of its own
	codeHangul      = 6 // a syllable, to be taken apart into its letters
	codeMark        = 7 // a combining mark that is kept
	codeMapped      = 16
)

// code looks r up; r is valid or utf8.RuneError.
func (f *file) code(r rune) int {
	block := int(f.blocks[r>>8])
	return int(u16(f.codes, block*512+int(r&0xff)*2))
}

// mapped returns where in runes the mapping of a code begins, how many runes
// it has and whether it is a word of its own.
func (f *file) mapped(code int) (start, n int, alone bool) {
	at := (code - codeMapped) * 4
	return int(u16(f.maps, at)), int(f.maps[at+2]), f.maps[at+3] != 0
}

// mapRune is the i-th rune of all mappings.
func (f *file) mapRune(i int) rune {
	r := u32(f.runes, i*4)
	if r > utf8.MaxRune {
		return utf8.RuneError
	}
	return rune(r)
}

// class is the canonical combining class of a mark that is kept.
func (f *file) class(r rune) uint8 {
	lo, hi := 0, len(f.marks)/4
	for lo < hi {
		mid := (lo + hi) / 2
		switch entry := u32(f.marks, mid*4); {
		case entry>>8 == uint32(r): //nolint:gosec // a rune is not negative here
			return uint8(entry) //nolint:gosec // the low byte
		case entry>>8 < uint32(r): //nolint:gosec // likewise
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0
}

// decompose takes a Hangul syllable apart (The Unicode Standard, 3.12): two
// letters, or three.
func decompose(syllable rune) (letters [3]rune, n int) {
	i := syllable - 0xAC00
	letters = [3]rune{0x1100 + i/588, 0x1161 + i%588/28, 0x11A7 + i%28}
	if i%28 == 0 {
		return letters, 2
	}
	return letters, 3
}
