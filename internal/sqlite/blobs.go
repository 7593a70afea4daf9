package sqlite

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// putBlob stores data from the part given on, and stops after about limit
// bytes. It returns the part to go on with, or 0 when all is stored.
func putBlob(c *conn, body int64, k kind, data []byte, part, limit int) (next int, err error) {
	for from := part * partBytes; from < len(data); from += partBytes {
		if limit <= 0 {
			return part, nil
		}
		piece := data[from:min(from+partBytes, len(data))]
		if _, err := c.exec("INSERT OR REPLACE INTO blobs (id, data) VALUES (?, ?)", blobID(body, k, part), piece); err != nil {
			return 0, err
		}
		part, limit = part+1, limit-len(piece)
	}
	return 0, nil
}

// blob reads size bytes of a blob; fewer when parts of it are missing.
func blob(c *conn, body int64, k kind, size int64) ([]byte, error) {
	data := make([]byte, 0, max(size, 0))
	err := c.rows("SELECT data FROM blobs WHERE id >= ? AND id < ? ORDER BY id", func(s *sqlite3.Stmt) error {
		piece := s.ColumnRawBlob(0)
		if int64(len(data)+len(piece)) > size {
			return fmt.Errorf("%w: a blob is longer than its document says", sqlite3.CORRUPT)
		}
		data = append(data, piece...)
		return nil
	}, blobID(body, k, 0), blobID(body, k, 0)+(size+partBytes-1)/partBytes)
	return data, err
}
