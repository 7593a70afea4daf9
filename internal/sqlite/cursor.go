package sqlite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

// cursors makes and reads the cursors of one user's lists. A cursor is one
// block of AES: the place in the list (a seq), and half a block that says whose
// list it is. So it tells nothing of how many documents there are, holds after
// the document it was made at is gone and after a restart, and one that was
// made up, or is another user's, passes once in 2^64.
type cursors struct {
	cipher cipher.Block
	whose  [8]byte
}

func cursorsOf(c *conn, user rag.User) (cursors, error) {
	var secret []byte
	found, err := c.row("SELECT secret FROM cursors", func(s *sqlite3.Stmt) { secret = s.ColumnBlob(0, nil) })
	if err != nil {
		return cursors{}, err
	}
	if !found || len(secret) != aes.BlockSize {
		return cursors{}, fmt.Errorf("%w: no key for cursors", sqlite3.CORRUPT)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return cursors{}, err
	}
	sum := sha256.Sum256([]byte(user))
	return cursors{cipher: block, whose: [8]byte(sum[:8])}, nil
}

func (c cursors) write(seq int64) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(seq)) //nolint:gosec // counted from 1
	copy(b[8:], c.whose[:])
	c.cipher.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (c cursors) read(cursor string) (seq int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(b) == aes.BlockSize {
		c.cipher.Decrypt(b, b)
		if subtle.ConstantTimeCompare(b[8:], c.whose[:]) == 1 {
			return int64(binary.BigEndian.Uint64(b[:8])), nil //nolint:gosec // as it was written
		}
	}
	return 0, rag.FieldErrorf("cursor", "is not one that this server gave out")
}
