package rag

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Cursors makes and reads the cursors of one user's lists, for stores that number
// documents. A cursor is one block of AES: the place in the list, and half a
// block that says whose list it is. So it tells nothing of how many documents
// there are, holds after the document it was made at is gone, after a restart
// and on every server, and one that was made up, or is another user's, passes
// once in 2^64.
type Cursors struct {
	cipher cipher.Block
	whose  [8]byte
}

// NewCursors makes those of a user that whose stands for, with a key of the
// store's own.
func NewCursors(key []byte, whose [8]byte) (Cursors, error) {
	if len(key) != aes.BlockSize {
		return Cursors{}, errors.New("the key for cursors is damaged")
	}
	block, err := aes.NewCipher(key)
	return Cursors{cipher: block, whose: whose}, err
}

// Write makes the cursor of a place, which is counted from 1.
func (c Cursors) Write(place int64) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(place)) //nolint:gosec // counted from 1
	copy(b[8:], c.whose[:])
	c.cipher.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Read returns the place, or an Invalid error.
func (c Cursors) Read(cursor string) (place int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(b) == aes.BlockSize {
		c.cipher.Decrypt(b, b)
		if subtle.ConstantTimeCompare(b[8:], c.whose[:]) == 1 {
			return int64(binary.BigEndian.Uint64(b[:8])), nil //nolint:gosec // as it was written
		}
	}
	return 0, FieldErrorf("cursor", "is not one that this server gave out")
}
