package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"weir/internal/rag"
)

// BackupConfig says what is to be saved, and where.
type BackupConfig struct {
	// Dir is the data folder. A server may hold it, and write. It has no default.
	Dir string
	// To is the file to be. Its folder must be there. It has no default.
	To string
	// Replace lets it take the place of a file. Defaults to no: To must not exist.
	Replace bool
	// Weir is the version of this program, for the manifest.
	Weir string
	// Keys is the content of the file of keys, saved beside the documents. Defaults to none.
	Keys []byte
	// Space says how many bytes may still be written in a folder. Defaults to not looking.
	Space func(folder string) (int64, error)
	// Tell is called now and then with what was done of the stage, in bytes; total 0 is not known. Defaults to nobody.
	Tell func(stage string, done, total int64)
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

// The stages of a backup and of a restore.
const (
	StageCopy  = "copying"
	StageCheck = "checking"
	StageHash  = "hashing"
)

const (
	// stepPages is copied at a time: 4 MiB; between two steps ctx is looked at.
	stepPages = 512
	// syncSteps is after how many of these steps they go to the disk, so that the last sync is no
	// burst that the server's own syncs would wait behind.
	syncSteps = 4
)

func (c BackupConfig) withDefaults() BackupConfig {
	if c.Tell == nil {
		c.Tell = func(string, int64, int64) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Backup saves the database of a data folder to one file, while a server works
// on it: the pages are copied inside one read transaction of a connection of its
// own, whose snapshot has all that was acknowledged before. Writers go on
// meanwhile (WAL), and what they write makes the log longer until the copy is made. The
// copy is looked through before it gets its name; until then it is a partial
// file beside, which nobody takes for a backup because its end is missing.
//
// It is to be called by one process at a time for a data folder: a partial file
// that an earlier one left behind is removed.
//
// VACUUM INTO was not taken because it makes the database anew row by row,
// which keeps the snapshot open for longer.
func Backup(ctx context.Context, cfg BackupConfig) (m Manifest, err error) {
	cfg = cfg.withDefaults()
	if _, err := os.Stat(filepath.Join(cfg.Dir, fileName)); err != nil {
		return m, backupError(rag.NotFound, err, "there is nothing to back up: %s has no %s", cfg.Dir, fileName)
	}
	if _, err := os.Lstat(cfg.To); err == nil && !cfg.Replace {
		return m, backupError(rag.Conflict, nil, "%s exists already", cfg.To)
	}
	partial := partialName(cfg.Dir, cfg.To)
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, toldOf(ctx, cfg.To, err)
	}
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return m, toldOf(ctx, cfg.To, err)
	}
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			err = errors.Join(err, os.Remove(partial))
		}
	}()
	m = Manifest{Format: archiveFormat, Weir: cfg.Weir}
	saved, err := cfg.copyPages(ctx, f, partial, &m)
	if err != nil {
		return m, toldOf(ctx, cfg.To, err)
	}
	if err := cfg.seal(ctx, f, partial, &m, saved); err != nil {
		return m, toldOf(ctx, cfg.To, err)
	}
	err, f = f.Close(), nil
	if err != nil {
		return m, toldOf(ctx, cfg.To, err)
	}
	if err := giveName(partial, cfg.To, cfg.Replace); err != nil {
		return m, toldOf(ctx, cfg.To, err)
	}
	return m, nil
}

// copyPages copies the database to partial and returns what the snapshot held.
func (c BackupConfig) copyPages(ctx context.Context, f *os.File, partial string, m *Manifest) (saved Counts, err error) {
	path, err := filepath.Abs(filepath.Join(c.Dir, fileName))
	if err != nil {
		return saved, err
	}
	src, err := openConn(ctx, path, readerPragmas)
	if err != nil {
		return saved, explain(ctx, c.Dir, "back up", err)
	}
	defer func() { err = errors.Join(err, src.close()) }()
	return saved, transact(ctx, src, "BEGIN", func(src *conn) error {
		// The first read takes the snapshot.
		if saved, err = countDocuments(src); err != nil {
			return explain(ctx, c.Dir, "back up", err)
		}
		known, err := newestSchema()
		if err != nil {
			return err
		}
		if m.Schema, err = src.number(schemaQuery); err != nil {
			return explain(ctx, c.Dir, "back up", err)
		}
		if m.Schema > known {
			return newerError(m.Schema, known)
		}
		m.Created = c.Now().UTC().Truncate(time.Second)
		size, err := src.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
		if err != nil {
			return explain(ctx, c.Dir, "back up", err)
		}
		if err := c.checkSpace(size + int64(len(c.Keys)) + maxManifest); err != nil {
			return err
		}
		return c.copySteps(ctx, src, f, partial)
	})
}

func (c BackupConfig) copySteps(ctx context.Context, src *conn, f *os.File, partial string) (err error) {
	// No journal: what is broken off is thrown away. This program syncs the file itself.
	to := partial
	if runtime.GOOS != "windows" {
		to = "file:" + (&url.URL{Path: partial}).EscapedPath() + "?_pragma=journal_mode(off)&_pragma=synchronous(off)&_pragma=locking_mode(exclusive)"
	}
	b, err := src.db.BackupInit("main", to)
	if err != nil {
		return fmt.Errorf("begin the copy: %w", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	pageSize, err := src.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	for step := 1; ; step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := b.Step(stepPages)
		if err != nil {
			return fmt.Errorf("copy: %w", err)
		}
		total := int64(b.PageCount()) * pageSize
		c.Tell(StageCopy, total-int64(b.Remaining())*pageSize, total)
		if done {
			return nil
		}
		if step%syncSteps == 0 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
}

func (c BackupConfig) checkSpace(need int64) error {
	if c.Space == nil {
		return nil
	}
	folder := filepath.Dir(c.To)
	free, err := c.Space(folder)
	if err != nil || free >= need { // where it is not known, the disk says so itself
		return nil
	}
	return backupError(rag.Unavailable, nil, "there is not enough room in %s: %d MiB are needed, %d MiB are free", folder, need>>20+1, free>>20)
}

// seal looks through the copy and appends what makes it a backup.
func (c BackupConfig) seal(ctx context.Context, f *os.File, partial string, m *Manifest, saved Counts) error {
	// The copy says that it is in WAL mode, as its original is; by these two bytes of its header
	// (https://sqlite.org/fileformat2.html) it is a file by itself, which nobody who reads it puts a log beside.
	if _, err := f.WriteAt([]byte{1, 1}, 18); err != nil {
		return err
	}
	c.Tell(StageCheck, 0, 0)
	found, err := inspect(ctx, partial)
	if err != nil {
		return err
	}
	if found.schema != m.Schema || found.counts.Users != saved.Users || found.counts.Documents != saved.Documents {
		return fmt.Errorf("the copy has schema version %d, %d users and %d documents, its original %d, %d and %d",
			found.schema, found.counts.Users, found.counts.Documents, m.Schema, saved.Users, saved.Documents)
	}
	m.Counts = found.counts
	if m.Database.Bytes, err = f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	tell := func(done, total int64) { c.Tell(StageHash, done, total) }
	if m.Database.SHA256, err = copyHashed(ctx, io.Discard, f, m.Database.Bytes, tell); err != nil {
		return err
	}
	if c.Keys != nil {
		m.Keys = partOf(c.Keys)
	}
	if err := appendArchive(f, *m, c.Keys); err != nil {
		return err
	}
	return f.Sync()
}

// toldOf is explain for the file that is written.
func toldOf(ctx context.Context, to string, err error) error {
	return explain(ctx, filepath.Dir(to), "back up to "+to, err)
}
