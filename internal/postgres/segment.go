package postgres

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/analysis"
	"weir/internal/postings"
)

// segmentForm goes up with every change of what analysis makes of a text;
// segments of another form are made anew when they are loaded.
const segmentForm = 1

// Of a document's text that much tells its language, taken in so many pieces
// from all over it.
const (
	sampleBytes  = 256 << 10
	samplePieces = 64
)

// passage is what the lexical half reads of a chunk.
type passage struct{ content, heading string }

// sample returns the text by which the language of passages is told.
func sample(n int, at func(i int) string) string {
	var b strings.Builder
	for i := 0; i < n && b.Len() < sampleBytes; i += max(1, n/samplePieces) {
		b.WriteString(at(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// writer makes the posting segment of one document.
type writer struct {
	lang  analysis.Lang
	terms *analysis.Document
	over  string
	b     postings.Builder
}

// newWriter begins a document. The name of the file is all that many documents
// have for a title.
func newWriter(a *analysis.Analyzer, lang analysis.Lang, filename, title string) *writer {
	return &writer{lang: lang, terms: a.Document(lang), over: strings.TrimSuffix(filename, path.Ext(filename)) + "\n" + title + "\n"}
}

func (w *writer) add(p passage) {
	w.b.Add(w.field(p.content), w.field(w.over+p.heading))
}

func (w *writer) field(text string) (f postings.Field) {
	f.Words = w.terms.Terms(text, func(t string) { f.Terms = append(f.Terms, t) })
	return f
}

func (w *writer) segment() ([]byte, error) { return w.b.Segment(string(w.lang)) }

// makeSegment reads the passages of a document and makes its segment.
func (s *Store) makeSegment(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64, chunks int, filename, title string) ([]byte, error) {
	rows, err := tx.Query(ctx, `
SELECT content FROM chunks WHERE owner = $1 AND body = $2 AND idx % $3 = 0 ORDER BY idx LIMIT $4`, owner, body, max(1, chunks/samplePieces), 2*samplePieces)
	if err != nil {
		return nil, err
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	lang := s.analyzer.Detect(sample(len(texts), func(i int) string { return original(texts[i]) }))
	w := newWriter(s.analyzer, lang, filename, title)
	if rows, err = tx.Query(ctx, "SELECT idx, content, section_title FROM chunks WHERE owner = $1 AND body = $2 ORDER BY idx", owner, body); err != nil {
		return nil, err
	}
	n, index := 0, 0
	var p passage
	if _, err = pgx.ForEachRow(rows, []any{&index, &p.content, &p.heading}, func() error {
		if index != n {
			return fmt.Errorf("passage %d is missing", n)
		}
		n++
		w.add(passage{original(p.content), original(p.heading)})
		return nil
	}); err != nil {
		return nil, err
	}
	if n != chunks {
		return nil, fmt.Errorf("%d passages of %d are there", n, chunks)
	}
	return w.segment()
}
