package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"weir/internal/rag"
)

// A backup is one file: the database, what else belongs to it, a manifest as
// JSON, and a tail of fixed length that leads to the manifest. The tail is
// written last, so that a file that was broken off has none. Since the database
// comes first and SQLite does not look at what follows its last page, the file
// can be opened by any SQLite as it is.
const (
	archiveFormat = 1
	archiveMagic  = "WEIRBAK1"
	tailBytes     = len(archiveMagic) + 8 + sha256.Size // the magic, the length of the manifest, its hash
	maxManifest   = 1 << 20
	maxKeys       = 64 << 20
	sqliteMagic   = "SQLite format 3\x00"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format   int       `json:"format"`
	Created  time.Time `json:"created"` // when its snapshot was taken
	Weir     string    `json:"weir"`    // version of the program that wrote it
	Schema   int64     `json:"schema"`  // of the database
	Database Part      `json:"database"`
	Keys     *Part     `json:"keys,omitempty"` // nil: there was no file of keys
	Counts   Counts    `json:"counts"`
}

// Part is a run of bytes in a backup. The database comes first, then the keys.
type Part struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Counts says how much a database holds.
type Counts struct {
	Users     int64            `json:"users"`
	Documents int64            `json:"documents"`
	Statuses  map[string]int64 `json:"statuses"` // documents by status
	Chunks    int64            `json:"chunks"`
	Vectors   int64            `json:"vectors"`
}

func partOf(content []byte) *Part {
	sum := sha256.Sum256(content)
	return &Part{Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

// appendArchive makes a backup of the database in f.
func appendArchive(f *os.File, m Manifest, keys []byte) error {
	content, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	end := append([]byte{}, keys...)
	end = append(end, content...)
	end = append(end, archiveMagic...)
	end = binary.BigEndian.AppendUint64(end, uint64(len(content)))
	end = append(end, sum[:]...)
	_, err = f.WriteAt(end, m.Database.Bytes)
	return err
}

// ReadManifest reads the manifest of a backup, and refuses what is none: a
// foreign, cut or newer file. It does not look at what the manifest speaks of;
// [Verify] does.
func ReadManifest(path string) (Manifest, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return Manifest{}, backupError(rag.NotFound, err, "the backup %s cannot be read: %s", path, reason(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	return readManifest(f, path)
}

func readManifest(f *os.File, path string) (m Manifest, err error) {
	info, err := f.Stat()
	if err != nil {
		return m, backupError(rag.Unavailable, err, "the backup %s cannot be read: %s", path, reason(err))
	}
	if !info.Mode().IsRegular() {
		return m, backupError(rag.Invalid, nil, "%s is no file", path)
	}
	head, tail := make([]byte, len(sqliteMagic)), make([]byte, tailBytes)
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) || n < len(head) || string(head) != sqliteMagic {
		return m, backupError(rag.Invalid, err, "%s is no backup of Weir", path)
	}
	at := info.Size() - int64(tailBytes)
	if _, err := f.ReadAt(tail, max(at, 0)); err != nil || !bytes.HasPrefix(tail, []byte(archiveMagic)) {
		return m, backupError(rag.Invalid, err, "%s is no whole backup: its end is missing; it was broken off, cut, or is a database and no backup", path)
	}
	length := binary.BigEndian.Uint64(tail[len(archiveMagic):])
	if length > maxManifest || int64(length) > at {
		return m, backupError(rag.Invalid, nil, "the backup %s is damaged: its manifest cannot be found", path)
	}
	content := make([]byte, length)
	if _, err := f.ReadAt(content, at-int64(length)); err != nil {
		return m, backupError(rag.Unavailable, err, "the backup %s cannot be read: %s", path, reason(err))
	}
	if sum := sha256.Sum256(content); !bytes.Equal(sum[:], tail[len(archiveMagic)+8:]) {
		return m, backupError(rag.Invalid, nil, "the backup %s is damaged: its manifest has another SHA-256 than it should", path)
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return m, backupError(rag.Invalid, err, "the backup %s is damaged: its manifest is not readable", path)
	}
	return m, m.check(path, at-int64(length))
}

// check refuses a manifest that does not fit its file, or this program.
func (m Manifest) check(path string, size int64) error {
	known, err := newestSchema()
	if err != nil {
		return err
	}
	var keys int64
	if m.Keys != nil {
		keys = m.Keys.Bytes
	}
	switch {
	case m.Format != archiveFormat:
		return backupError(rag.Invalid, nil, "the backup %s has format %d and this program knows %d; it was written by another Weir (%s)", path, m.Format, archiveFormat, m.Weir)
	case m.Schema > known:
		return backupError(rag.Invalid, nil, "the backup %s has schema version %d and this program knows only up to %d; it was written by a newer Weir (%s)", path, m.Schema, known, m.Weir)
	case m.Database.Bytes <= 0 || keys < 0 || keys > maxKeys || m.Database.Bytes > size || m.Database.Bytes+keys != size:
		return backupError(rag.Invalid, nil, "the backup %s is damaged: it is %d bytes too long or too short", path, size-m.Database.Bytes-keys)
	}
	return nil
}

// keysOf reads the keys of a backup; nil when it has none.
func keysOf(f *os.File, m Manifest, path string) ([]byte, error) {
	if m.Keys == nil {
		return nil, nil
	}
	keys := make([]byte, m.Keys.Bytes)
	if _, err := f.ReadAt(keys, m.Database.Bytes); err != nil {
		return nil, backupError(rag.Unavailable, err, "the backup %s cannot be read: %s", path, reason(err))
	}
	if partOf(keys).SHA256 != m.Keys.SHA256 {
		return nil, backupError(rag.Invalid, nil, "the backup %s is damaged: its keys have another SHA-256 than they should", path)
	}
	return keys, nil
}

// copyHashed copies the next bytes of a file, tells how far it is and returns
// their hash. It ends with ctx.
func copyHashed(ctx context.Context, to io.Writer, from io.Reader, length int64, tell func(done, total int64)) (string, error) {
	h := sha256.New()
	both := io.MultiWriter(to, h)
	const piece = 4 << 20
	for done := int64(0); done < length; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := io.CopyN(both, from, min(piece, length-done))
		done += n
		if err != nil {
			return "", err
		}
		tell(done, length)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func backupError(code rag.Code, err error, format string, args ...any) error {
	return &rag.Error{Code: code, Phase: phase, Msg: fmt.Sprintf(format, args...), Err: err}
}

// reason is an error without the path that it repeats.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
