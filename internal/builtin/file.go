package builtin

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
)

// modelFile is what tools/distill makes.
//
//go:embed weir-static-v1.bin
var modelFile string

const (
	magic      = "WEIRSTA1"
	headerSize = len(magic) + 8*4
	stageOne   = 0x110000 >> 8 // one byte for each 256 code points
	maxHead    = 1 << 20       // times maxDim it still fits an int of 32 bits
)

var errFile = errors.New("the model file is damaged")

// file is a model file taken apart; its strings are parts of the file itself.
type file struct {
	dim    int
	vocab  int
	hashed int32 // weight of a word that the vocabulary cannot spell

	blocks  string // per 256 code points, the number of the block of their codes
	codes   string // blocks of 256 uint16
	maps    string // per mapping: uint16 start in runes, uint8 how many, uint8 whether a word of its own
	runes   string // uint32
	marks   string // per combining mark that is kept: uint32, code point << 8 | class; ascending
	starts  string // uint32, where in words each token begins, and the end of the last
	words   string // the tokens, those within a word with "##" before them
	weights string // uint16 per token
	rows    string // int8, dim per token
}

// parse takes data apart and checks every size and reference, so that nothing
// read later can be out of bounds.
func parse(data string) (file, error) {
	if len(data) < headerSize || data[:len(magic)] != magic {
		return file{}, fmt.Errorf("%w: it does not begin with %s", errFile, magic)
	}
	var head [8]int
	for i := range head {
		n := u32(data, len(magic)+4*i)
		if n > maxHead {
			return file{}, fmt.Errorf("%w: number %d of its head is %d", errFile, i, n)
		}
		head[i] = int(n)
	}
	if head[1] > maxDim {
		return file{}, fmt.Errorf("%w: %d dimensions", errFile, head[1])
	}
	f := file{vocab: head[0], dim: head[1], hashed: int32(head[2])} //nolint:gosec // at most maxHead
	rest := data[headerSize:]
	for _, part := range []struct {
		to   *string
		size int
	}{
		{&f.blocks, stageOne},
		{&f.codes, head[3] * 512},
		{&f.maps, head[4] * 4},
		{&f.runes, head[5] * 4},
		{&f.marks, head[6] * 4},
		{&f.starts, (f.vocab + 1) * 4},
		{&f.words, head[7]},
		{&f.weights, f.vocab * 2},
		{&f.rows, f.vocab * f.dim},
	} {
		if part.size > len(rest) {
			return file{}, fmt.Errorf("%w: it is too short", errFile)
		}
		*part.to, rest = rest[:part.size], rest[part.size:]
	}
	if rest != "" {
		return file{}, fmt.Errorf("%w: %d bytes too many", errFile, len(rest))
	}
	return f, f.check()
}

func (f *file) check() error {
	if f.dim == 0 || f.vocab == 0 || f.hashed == 0 || f.hashed > maxWeight {
		return fmt.Errorf("%w: dimensions %d, vocabulary %d, weight %d", errFile, f.dim, f.vocab, f.hashed)
	}
	for i := range f.blocks {
		if int(f.blocks[i])*512 >= len(f.codes) {
			return fmt.Errorf("%w: block %d", errFile, i)
		}
	}
	for i := 0; i < len(f.codes); i += 2 {
		if code := int(u16(f.codes, i)); code >= codeMapped && (code-codeMapped)*4 >= len(f.maps) {
			return fmt.Errorf("%w: code %d", errFile, code)
		}
	}
	for i := 0; i < len(f.maps); i += 4 {
		if n := int(f.maps[i+2]); n == 0 || n > maxMapped || (int(u16(f.maps, i))+n)*4 > len(f.runes) {
			return fmt.Errorf("%w: mapping %d", errFile, i/4)
		}
	}
	last := uint32(0)
	for i := 0; i < len(f.starts); i += 4 {
		at := u32(f.starts, i)
		if at < last || int(at) > len(f.words) || at-last > maxTokenBytes {
			return fmt.Errorf("%w: token %d", errFile, i/4)
		}
		last = at
	}
	for i := 0; i < len(f.weights); i += 2 {
		if w := int32(u16(f.weights, i)); w > maxWeight {
			return fmt.Errorf("%w: weight %d", errFile, w)
		}
	}
	return nil
}

func (f *file) word(id int32) string {
	return f.words[u32(f.starts, int(id)*4):u32(f.starts, int(id)*4+4)]
}

func u16(s string, at int) uint16 {
	return binary.LittleEndian.Uint16([]byte(s[at : at+2]))
}

func u32(s string, at int) uint32 {
	return binary.LittleEndian.Uint32([]byte(s[at : at+4]))
}
