package extract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkChunk(b *testing.B) {
	tok, err := newCounter()
	if err != nil {
		b.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(examples, "support-call.txt"))
	if err != nil {
		b.Fatal(err)
	}
	blocks := textBlocks(nil, clean(strings.Repeat(string(src)+"\n\n", 50)))
	b.SetBytes(int64(textSize(blocks)))
	for b.Loop() {
		c := chunker{tok: tok, max: 256, overlap: 32, tiny: 64}
		if _, err := c.chunks(b.Context(), blocks); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPDF(b *testing.B) {
	for _, file := range []string{filepath.Join(examples, "plan-handbook.pdf"), filepath.Join(eval, "evidence-of-coverage-2025.pdf")} {
		for _, workers := range []int{1, 2} {
			b.Run(filepath.Base(file)+"/workers="+itoa(workers), func(b *testing.B) {
				if _, err := os.Stat(file); err != nil {
					b.Skip("not there")
				}
				x := newExtractor(b, Config{Workers: workers})
				pages := extractFile(b, x, file).Pages
				for b.Loop() {
					extractFile(b, x, file)
				}
				b.ReportMetric(float64(pages*b.N)/b.Elapsed().Seconds(), "pages/s")
			})
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		x, err := New(Config{})
		if err != nil {
			b.Fatal(err)
		}
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
