package extract

import (
	"fmt"
	"time"
)

// Config is what an Extractor can be told. The zero value is usable.
type Config struct {
	MaxBytes     int64         // the largest file. Defaults to 64 MiB
	MaxPages     int           // the most pages of one document. Defaults to 5000
	MaxText      int           // the most bytes of text, or of HTML, taken from one document; a DOCX may unpack to four times as much. Defaults to 16 MiB
	MaxDepth     int           // the deepest nesting of elements in DOCX, quotes and lists in Markdown, bookmarks in PDF. Defaults to 256
	Timeout      time.Duration // the longest one document may be worked on. Defaults to 2 min
	ChunkTokens  int           // the most tokens of a chunk. Defaults to 320
	Overlap      int           // the most tokens a chunk repeats of the one before it, within a section. Defaults to an eighth of ChunkTokens; negative: none
	Workers      int           // PDFs read side by side. Defaults to 2
	PDFMemory    int64         // memory of one PDFium instance, rounded down to 64 KiB. Defaults to 768 MiB
	CacheDir     string        // folder for compiled PDFium (about 15 MB), made when missing. Defaults to none: some seconds of start-up each time
	MinHeadings  int           // bookmarks a PDF needs before they are trusted as its headings. Defaults to 3
	TinySection  int           // sections of fewer tokens are joined with their neighbours under the same parent. Defaults to a quarter of ChunkTokens
	MaxPageChars int           // the most characters on one PDF page. Defaults to 500,000
}

// WithDefaults returns a copy with every zero field set.
func (c Config) WithDefaults() Config {
	set(&c.MaxBytes, 64<<20)
	set(&c.MaxPages, 5000)
	set(&c.MaxText, 16<<20)
	set(&c.MaxDepth, 256)
	set(&c.Timeout, 2*time.Minute)
	set(&c.ChunkTokens, 320)
	set(&c.Overlap, c.ChunkTokens/8)
	set(&c.Workers, 2)
	set(&c.PDFMemory, 768<<20)
	set(&c.MinHeadings, 3)
	set(&c.TinySection, c.ChunkTokens/4)
	set(&c.MaxPageChars, 500_000)
	return c
}

func set[T comparable](p *T, def T) {
	var zero T
	if *p == zero {
		*p = def
	}
}

// validate is called on a Config with its defaults set.
func (c Config) validate() error {
	switch {
	case c.MaxBytes < 0, c.MaxPages < 0, c.MaxText < 0, c.MaxDepth < 0, c.Timeout < 0, c.Workers < 0, c.MinHeadings < 0, c.TinySection < 0, c.MaxPageChars < 0:
		return fmt.Errorf("extract: no limit may be negative")
	case c.ChunkTokens < minChunkTokens:
		return fmt.Errorf("extract: ChunkTokens is %d; the least is %d", c.ChunkTokens, minChunkTokens)
	case c.Overlap > c.ChunkTokens/2:
		return fmt.Errorf("extract: Overlap (%d) is more than half of ChunkTokens (%d)", c.Overlap, c.ChunkTokens)
	case c.PDFMemory < 32<<20 || c.PDFMemory > 4<<30:
		return fmt.Errorf("extract: PDFMemory is %d; it must be from 32 MiB to 4 GiB", c.PDFMemory)
	}
	return nil
}

// minChunkTokens leaves room for the longest thing that is never cut, one
// rune (at most 4 tokens in cl100k), several times over.
const minChunkTokens = 16
