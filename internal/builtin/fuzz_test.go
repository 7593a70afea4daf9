package builtin

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"weir/internal/rag"
)

func FuzzEmbed(f *testing.F) {
	for _, s := range []string{"a", "Ångström", "각힣", "a\u302e\u1baa\u0301", "\xff\xfe", "東京 x", "👩‍👩‍👧", strings.Repeat("é", 101), "[MASK]"} {
		f.Add(s)
	}
	e := newEmbedder(f)
	f.Fuzz(func(t *testing.T, text string) {
		vs, err := e.Embed(t.Context(), "", rag.ForQuery, []string{text})
		if strings.TrimSpace(text) == "" {
			if rag.CodeOf(err) != rag.Invalid {
				t.Errorf("an empty text: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := dot(vs[0], vs[0]); math.Abs(n-1) > 1e-5 {
			t.Errorf("length² %v", n)
		}
		// Words are joined by white space alone, and spelled by their characters.
		s := scanner{runes: runes{file: e.file, text: text}, vocab: e.vocab}
		for {
			w, ok := s.next()
			if !ok {
				break
			}
			if (w.unknown == nil) == (len(w.tokens) == 0) || !utf8.Valid(w.unknown) || len(w.unknown) > maxWord*utf8.UTFMax {
				t.Fatalf("%+v", w)
			}
		}
	})
}

// Composed or not, a text is the same text.
func FuzzNormalForms(f *testing.F) {
	for _, s := range []string{"Ångström ṩ", "각힣", "é à", "\u1e9b\u0323", "ệ ậ"} {
		f.Add(s)
	}
	e := newEmbedder(f)
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || len(text) > 200 {
			return
		}
		for _, r := range text {
			if r > 0x2FFF && (r < 0xAC00 || r > 0xD7A3) || r >= 0x0340 && r < 0x0390 {
				return // singletons, and marks that one of the two Unicode versions does not know
			}
		}
		a, b := idsOf(e, text), idsOf(e, norm.NFD.String(text))
		if !slices.Equal(a, b) {
			t.Errorf("%+q: %v, decomposed %v", text, a, b)
		}
	})
}
