package builtin

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"weir/internal/rag"
)

const unknownID = 100 // [UNK] of the reference

// idsOf are the tokens as the reference gives them, unknown words as [UNK].
func idsOf(e *Embedder, text string) []int32 {
	s := scanner{runes: runes{file: e.file, text: text}, vocab: e.vocab}
	var ids []int32
	for {
		w, ok := s.next()
		switch {
		case !ok:
			return ids
		case w.unknown == nil:
			ids = append(ids, w.tokens...)
		case w.last:
			ids = append(ids, unknownID)
		}
	}
}

func newEmbedder(tb testing.TB) *Embedder {
	tb.Helper()
	e, err := New()
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func readJSON[T any](t *testing.T, name string) []T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return rows
}

// The texts and tokens come from the reference, Hugging Face tokenizers
// (tools/distill/golden.py).
func TestTokensAreThoseOfTheReference(t *testing.T) {
	e := newEmbedder(t)
	for i, row := range readJSON[[2]json.RawMessage](t, "tokens.json") {
		var text string
		var want []int32
		if err := json.Unmarshal(row[0], &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(row[1], &want); err != nil {
			t.Fatal(err)
		}
		if got := idsOf(e, text); !slices.Equal(got, want) {
			t.Errorf("text %d %+q: got %v, want %v", i, text, got, want)
		}
	}
}

// Each line is a hash over the tokens of "a"+c+"b" for 256 code points.
func TestEveryCodePointIsAsInTheReference(t *testing.T) {
	e := newEmbedder(t)
	f, err := os.Open(filepath.Join("testdata", "codepoints.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for hi := rune(0); hi < 0x1100; hi++ {
		if hi >= 0xD8 && hi < 0xE0 {
			continue // surrogates
		}
		if !lines.Scan() {
			t.Fatalf("no line for U+%04Xxx", hi)
		}
		want, err := strconv.ParseUint(lines.Text(), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		h := seedFirst
		for lo := range rune(256) {
			for _, id := range append(idsOf(e, "a"+string(hi<<8|lo)+"b"), 0xFFFF) {
				h = (h ^ uint64(id&0xFF)) * prime
				h = (h ^ uint64(id>>8)) * prime
			}
		}
		if h != want {
			t.Errorf("U+%02Xxx: got %016x, want %016x", hi, h, want)
		}
	}
}

// The vectors were computed apart from this package, from the file alone, and
// must be the same to the bit on every platform.
func TestVectorsAreTheSameToTheBit(t *testing.T) {
	type row struct {
		Text   string
		First  []float64
		SHA256 string
	}
	e := newEmbedder(t)
	for _, want := range readJSON[row](t, "vectors.json") {
		vs, err := e.Embed(t.Context(), "", rag.ForQuery, []string{want.Text})
		if err != nil {
			t.Fatalf("%.40q: %v", want.Text, err)
		}
		h := sha256.New()
		for _, x := range vs[0] {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
			t.Errorf("%.40q: begins %v, want %v", want.Text, fmt.Sprint(vs[0][:4]), want.First)
		}
	}
}
