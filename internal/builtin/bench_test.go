package builtin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/rag"
)

func BenchmarkEmbed(b *testing.B) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "examples", "payments-runbook.md"))
	if err != nil {
		b.Fatal(err)
	}
	chunk := string(guide[:min(len(guide), 1400)]) // about 320 tokens
	e := newEmbedder(b)
	for _, c := range []struct{ name, text string }{
		{"query", "What is the most I will pay out of pocket for covered medical services in 2025?"},
		{"chunk", chunk},
		{"accents", strings.Repeat("Crème brûlée à la française, naïvement préparée. ", 28)},
		{"ideographs", strings.Repeat("東京都は日本の首都です。", 40)},
		{"one_word_1MB", strings.Repeat("a", 1<<20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.text)))
			texts, ctx := []string{c.text}, b.Context()
			for b.Loop() {
				if _, err := e.Embed(ctx, "", rag.ForQuery, texts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}
