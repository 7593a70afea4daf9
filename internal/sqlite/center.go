package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/sqlite/scan"
)

const (
	// centerSample is how many vectors of a new document go into a center; centerDocs × centerEach is how many of earlier ones.
	centerSample = 2048
	centerDocs   = 64
	centerEach   = 32
)

const selectCenter = "SELECT id, made_of, vectors FROM centers WHERE user = ? AND model = ? ORDER BY id DESC LIMIT 1"

// readCenter returns nil for one that is missing or damaged.
func readCenter(c *conn, id int64) (center *scan.Center, err error) {
	_, err = c.row("SELECT data FROM centers WHERE id = ?", func(row *sqlite3.Stmt) {
		if parsed, err := scan.ParseCenter(row.ColumnRawBlob(0)); err == nil && parsed.ID() == id {
			center = parsed
		}
	}, id)
	return center, err
}

// centerFor returns the center that a user's next vectors are to be encoded
// against: the newest, or a new one when they have become so many that it no
// longer stands for them.
func (s *Store) centerFor(ctx context.Context, c *conn, user, model int64, dim int, vectors [][]float32) (*scan.Center, error) {
	var id int64
	madeOf, total := 0, 0
	if _, err := c.row(selectCenter, func(row *sqlite3.Stmt) {
		id, madeOf, total = row.ColumnInt64(0), row.ColumnInt(1), row.ColumnInt(2)
	}, user, model); err != nil {
		return nil, err
	}
	if id != 0 && !scan.CenterDue(total+len(vectors), madeOf) {
		center, err := readCenter(c, id)
		if err != nil || (center != nil && center.Dim() == dim) {
			return center, err
		}
	}
	mean, err := meanOf(c, user, model, dim, vectors)
	if err != nil {
		return nil, err
	}
	var center *scan.Center
	err = s.write(ctx, "store a center", func(c *conn) error {
		if _, err := c.exec("INSERT INTO centers (user, model, made_of, vectors, data) VALUES (?, ?, ?, ?, x'')",
			user, model, total+len(vectors), total); err != nil {
			return err
		}
		id := c.db.LastInsertRowID()
		var err error
		if center, err = mean.Center(id); err != nil {
			return err
		}
		data, err := center.AppendBinary(nil)
		if err != nil {
			return err
		}
		_, err = c.exec("UPDATE centers SET data = ? WHERE id = ?", data, id)
		return err
	})
	return center, err
}

// meanOf takes the mean of vectors all over a new document and of some of the
// user's latest.
func meanOf(c *conn, user, model int64, dim int, vectors [][]float32) (*scan.Mean, error) {
	mean, err := scan.NewMean(dim)
	if err != nil {
		return nil, err
	}
	step := max(1, len(vectors)/centerSample)
	for i := 0; i < len(vectors); i += step {
		if err := mean.Add(vectors[i]); err != nil {
			return nil, err
		}
	}
	var bodies []int64
	if err := c.rows("SELECT body FROM documents WHERE user = ?1 AND status = 'ready' AND (model = ?2 OR next_model = ?2) ORDER BY key DESC LIMIT ?3", func(row *sqlite3.Stmt) error {
		bodies = append(bodies, row.ColumnInt64(0))
		return nil
	}, user, model, centerDocs); err != nil {
		return nil, err
	}
	v := make([]float32, dim)
	for _, body := range bodies {
		for i := range centerEach {
			ok := false
			if _, err := c.row("SELECT data FROM vectors WHERE id = ?", func(row *sqlite3.Stmt) {
				ok = readVector(v, row.ColumnRawBlob(0))
			}, vectorID(body, i, model)); err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			if err := mean.Add(v); err != nil {
				return nil, fmt.Errorf("%w: %w", sqlite3.CORRUPT, err)
			}
		}
	}
	return mean, nil
}
