package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/analysis"
	"weir/internal/postings"
	"weir/internal/sqlite/scan"
)

// segmentForm goes up with every change of what analysis makes of a text;
// segments of another form are made anew when they are loaded.
const segmentForm = 1

// derived is what search needs of a ready document besides its rows.
type derived struct {
	document
	segment []byte
	block   []byte       // nil: no vectors
	kind    kind         // of the blob that block is kept in
	center  *scan.Center // that block was encoded against
}

// sampleBytes bounds the text by which the language of a document is told.
const sampleBytes = 256 << 10

// makeSegment reads the passages of a body and makes its posting segment.
func (s *Store) makeSegment(c *conn, d document, filename, title string) ([]byte, error) {
	lang, err := s.detect(c, d)
	if err != nil {
		return nil, err
	}
	terms := s.analyzer.Document(lang)
	field := func(text string) (f postings.Field) {
		f.Words = terms.Terms(text, func(t string) { f.Terms = append(f.Terms, t) })
		return f
	}
	// The name of the file is all that many documents have for a title.
	over := strings.TrimSuffix(filename, path.Ext(filename)) + "\n" + title + "\n"
	var b postings.Builder
	n := 0
	err = c.rows("SELECT id, content, section_title FROM chunks WHERE id >= ? AND id < ? ORDER BY id", func(row *sqlite3.Stmt) error {
		if chunkIndex(row.ColumnInt64(0)) != n {
			return fmt.Errorf("%w: passage %d is missing", sqlite3.CORRUPT, n)
		}
		n++
		b.Add(field(row.ColumnText(1)), field(over+row.ColumnText(2)))
		return nil
	}, chunkID(d.body, 0), chunkID(d.body+1, 0))
	if err != nil {
		return nil, err
	}
	if n != d.chunks {
		return nil, fmt.Errorf("%w: %d passages of %d", sqlite3.CORRUPT, n, d.chunks)
	}
	return b.Segment(string(lang))
}

// detect tells the language from passages all over the document.
func (s *Store) detect(c *conn, d document) (analysis.Lang, error) {
	var text strings.Builder
	const pieces = 64
	step := max(1, d.chunks/pieces)
	for i := 0; i < d.chunks && text.Len() < sampleBytes; i += step {
		if _, err := c.row("SELECT content FROM chunks WHERE id = ?", func(row *sqlite3.Stmt) {
			text.Write(row.ColumnRawText(0))
			text.WriteByte('\n')
		}, chunkID(d.body, i)); err != nil {
			return analysis.Unknown, err
		}
	}
	return s.analyzer.Detect(text.String()), nil
}

// allVectors reads the vectors of a body, one for each chunk.
func allVectors(c *conn, d document, dim int) ([][]float32, error) {
	vectors := make([][]float32, d.chunks)
	flat := make([]float32, d.chunks*dim)
	for i := range vectors {
		vectors[i] = flat[i*dim : (i+1)*dim : (i+1)*dim]
		ok := false
		if _, err := c.row("SELECT data FROM vectors WHERE id = ?", func(row *sqlite3.Stmt) {
			ok = readVector(vectors[i], row.ColumnRawBlob(0))
		}, vectorID(d.body, i, d.model)); err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%w: the vector of passage %d is missing", sqlite3.CORRUPT, i)
		}
	}
	return vectors, nil
}

// makeBlock encodes the vectors of a document. It writes a new center where
// one is due, and must not be called inside a write.
func (s *Store) makeBlock(ctx context.Context, c *conn, user int64, d document, dim int) ([]byte, *scan.Center, error) {
	vectors, err := allVectors(c, d, dim)
	if err != nil {
		return nil, nil, err
	}
	center, err := s.centerFor(ctx, c, user, d.model, dim, vectors)
	if err != nil {
		return nil, nil, err
	}
	block, err := scan.Encode(center, vectors)
	return block, center, err
}

// stored is a ready document as its row has it.
type stored struct {
	document
	filename, title string
	dim             int
	segmentBytes    int64
	segmentForm     int
	blockKind       kind
	blockBytes      int64
}

// loadDerived reads what was derived from a document. Where that is damaged,
// missing or of another form it is made again from passages and vectors, and
// remade is true: the caller may store it once it is outside of this snapshot.
func (s *Store) loadDerived(ctx context.Context, c *conn, user int64, d stored, centers map[int64]*scan.Center) (out derived, remade bool, err error) {
	out.document, out.kind = d.document, d.blockKind
	if d.segmentForm == segmentForm {
		if out.segment, err = blob(c, d.body, segmentBlob, d.segmentBytes); err != nil && !errors.Is(err, sqlite3.CORRUPT) {
			return out, false, err
		}
	}
	if d.segmentForm != segmentForm || err != nil || postings.Verify(out.segment) != nil {
		remade = true
		if out.segment, err = s.makeSegment(c, d.document, d.filename, d.title); err != nil {
			return out, false, err
		}
	}
	if d.model == 0 {
		return out, remade, nil
	}
	out.block, err = blob(c, d.body, d.blockKind, d.blockBytes)
	if err != nil && !errors.Is(err, sqlite3.CORRUPT) {
		return out, false, err
	}
	if err == nil {
		out.center, err = s.blockCenter(c, d, out.block, centers)
		if err == nil && out.center != nil {
			return out, remade, nil
		}
		if err != nil {
			return out, false, err
		}
	}
	out.block, out.center, err = s.makeBlock(ctx, c, user, d.document, d.dim)
	return out, true, err
}

// blockCenter returns the center of a block, or nil when block or center are
// not what they should be.
func (s *Store) blockCenter(c *conn, d stored, block []byte, centers map[int64]*scan.Center) (*scan.Center, error) {
	b, err := scan.ParseBlock(block)
	if err != nil || b.Rows() != d.chunks || b.Dim() != d.dim {
		return nil, nil //nolint:nilerr // said by the nil
	}
	center, known := centers[b.CenterID()]
	if !known {
		if center, err = readCenter(c, b.CenterID()); err != nil {
			return nil, err
		}
		centers[b.CenterID()] = center
	}
	return center, nil
}

// storeDerived writes remade parts back, if the document is still the same.
func storeDerived(c *conn, d derived) error {
	n, err := c.number("SELECT count(*) FROM documents WHERE key = ? AND body = ? AND status = 'ready' AND coalesce(model, 0) = ? AND block_kind = ?",
		d.key, d.body, d.model, int64(d.kind))
	if err != nil || n == 0 {
		return err
	}
	if err := putDerived(c, d, 0, 0); err != nil {
		return err
	}
	_, err = c.exec("UPDATE documents SET segment_bytes = ?, segment_form = ?, block_bytes = ? WHERE key = ?",
		len(d.segment), segmentForm, len(d.block), d.key)
	return err
}

func putDerived(c *conn, d derived, segmentPart, blockPart int) error {
	if _, err := putBlob(c, d.body, segmentBlob, d.segment, segmentPart, len(d.segment)+1); err != nil {
		return err
	}
	_, err := putBlob(c, d.body, d.kind, d.block, blockPart, len(d.block)+1)
	return err
}
