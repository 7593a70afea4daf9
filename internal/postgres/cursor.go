package postgres

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// cursors makes and reads the cursors of one user's lists. A cursor is one
// block of AES: the place in the list (a key), and half a block that says whose
// list it is. So it tells nothing of how many documents there are, holds on
// every server and after the document it was made at is gone, and one that was
// made up, or is another user's, passes once in 2^64.
type cursors struct {
	cipher cipher.Block
	whose  [8]byte
}

func newCursors(secret []byte, owner uuid.UUID) (cursors, error) {
	if len(secret) != aes.BlockSize {
		return cursors{}, errors.New("the key for cursors is damaged")
	}
	block, err := aes.NewCipher(secret)
	return cursors{cipher: block, whose: [8]byte(owner[8:])}, err
}

func cursorsOf(ctx context.Context, tx pgx.Tx, owner uuid.UUID) (cursors, error) {
	var secret []byte
	if err := tx.QueryRow(ctx, "SELECT cursors FROM secrets").Scan(&secret); err != nil {
		return cursors{}, fmt.Errorf("read the key for cursors: %w", err)
	}
	return newCursors(secret, owner)
}

func (c cursors) write(key int64) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(key)) //nolint:gosec // counted from 1
	copy(b[8:], c.whose[:])
	c.cipher.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (c cursors) read(cursor string) (key int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(b) == aes.BlockSize {
		c.cipher.Decrypt(b, b)
		if subtle.ConstantTimeCompare(b[8:], c.whose[:]) == 1 {
			return int64(binary.BigEndian.Uint64(b[:8])), nil //nolint:gosec // as it was written
		}
	}
	return 0, rag.FieldErrorf("cursor", "is not one that this server gave out")
}
