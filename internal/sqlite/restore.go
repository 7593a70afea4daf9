package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/rag"
)

// RestoreConfig says what is to be restored, and where.
type RestoreConfig struct {
	// From is the backup. It has no default.
	From string
	// Dir is the data folder, made when it is not there. The caller holds it: nobody else has it open. It has no default.
	Dir string
	// Replace lets the backup take the place of a database that is there, which is kept aside. Defaults to no.
	Replace bool
	// Space says how many bytes may still be written in a folder. Defaults to not looking.
	Space func(folder string) (int64, error)
	// Tell is that of BackupConfig.
	Tell func(stage string, done, total int64)
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

// Restored says what was restored.
type Restored struct {
	Manifest Manifest
	Aside    string // the folder where what was there before is kept; empty when there was nothing
	Keys     []byte // that the backup holds, for the caller to put where they belong; nil when it has none
}

const (
	restoringFile = fileName + ".restoring" // the copy before it gets its name
	// brokenOff is there while the old database has gone and the new one has not come. A store is not opened beside it:
	// a new, empty one would take its place.
	brokenOff = "restore-not-done"
)

// Restore puts the database of a backup into a data folder. The copy is looked
// through before anything that is there is touched. Documents that were in work
// when the backup was made go on when the store is opened.
func Restore(ctx context.Context, cfg RestoreConfig) (r Restored, err error) {
	cfg.Tell, cfg.Now = BackupConfig{Tell: cfg.Tell, Now: cfg.Now}.withDefaults().Tell, BackupConfig{Now: cfg.Now}.withDefaults().Now
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return r, backupError(rag.Unavailable, err, "the folder %s cannot be made: %s", cfg.Dir, reason(err))
	}
	present, err := databaseFiles(cfg.Dir)
	if err != nil {
		return r, err
	}
	_, err = os.Lstat(filepath.Join(cfg.Dir, brokenOff))
	again := err == nil // what is there was half restored
	if len(present) > 0 && !again && !cfg.Replace {
		return r, backupError(rag.Conflict, nil, "the data folder %s has documents already", cfg.Dir)
	}
	copied := filepath.Join(cfg.Dir, restoringFile)
	defer func() {
		if err != nil {
			_ = os.Remove(copied) // it may never have been there
		}
	}()
	if r, err = cfg.copyDatabase(ctx, copied); err != nil {
		return r, explain(ctx, cfg.Dir, "restore "+cfg.From, err)
	}
	if err := ctx.Err(); err != nil {
		return r, explain(ctx, cfg.Dir, "restore "+cfg.From, err)
	}
	// From here it is a matter of a few renames, which are not broken off.
	if r.Aside, err = cfg.exchange(copied, present); err != nil {
		return r, explain(context.WithoutCancel(ctx), cfg.Dir, "restore "+cfg.From, err)
	}
	return r, nil
}

// copyDatabase copies the database out of the backup and looks through the copy.
func (c RestoreConfig) copyDatabase(ctx context.Context, copied string) (r Restored, err error) {
	f, err := os.Open(c.From)
	if err != nil {
		return r, backupError(rag.NotFound, err, "the backup %s cannot be read: %s", c.From, reason(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	if r.Manifest, err = readManifest(f, c.From); err != nil {
		return r, err
	}
	if err := (BackupConfig{To: copied, Space: c.Space}).checkSpace(r.Manifest.Database.Bytes); err != nil {
		return r, err
	}
	if r.Keys, err = keysOf(f, r.Manifest, c.From); err != nil {
		return r, err
	}
	if err := os.Remove(copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	to, err := os.OpenFile(copied, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the operator's folder
	if err != nil {
		return r, err
	}
	sum, err := copyHashed(ctx, to, io.NewSectionReader(f, 0, r.Manifest.Database.Bytes), r.Manifest.Database.Bytes,
		func(done, total int64) { c.Tell(StageCopy, done, total) })
	if err == nil {
		err = to.Sync()
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return r, err
	}
	if sum != r.Manifest.Database.SHA256 {
		return r, hashError(c.From)
	}
	c.Tell(StageCheck, 0, 0)
	return r, r.Manifest.matches(ctx, copied, c.From)
}

// exchange puts the copy in the place of what is there, which is kept in a
// folder beside. A log that belongs to the old database must never lie beside
// the new one: SQLite would play it back into it.
func (c RestoreConfig) exchange(copied string, present []string) (aside string, err error) {
	mark := filepath.Join(c.Dir, brokenOff)
	if err := os.WriteFile(mark, []byte(c.From+"\n"), 0o600); err != nil {
		return "", err
	}
	if err := syncFolder(c.Dir); err != nil {
		return "", err
	}
	if len(present) > 0 {
		aside = filepath.Join(c.Dir, "before-restore-"+c.Now().UTC().Format("20060102T150405.000000000Z"))
		if err := os.Mkdir(aside, 0o700); err != nil {
			return "", err
		}
		for _, name := range present {
			if err := os.Rename(filepath.Join(c.Dir, name), filepath.Join(aside, name)); err != nil {
				return "", err
			}
		}
		if err := syncFolder(aside); err != nil {
			return "", err
		}
	}
	if err := os.Rename(copied, filepath.Join(c.Dir, fileName)); err != nil {
		return "", err
	}
	if err := syncFolder(c.Dir); err != nil {
		return "", err
	}
	if err := os.Remove(mark); err != nil {
		return "", err
	}
	return aside, syncFolder(c.Dir)
}

// databaseFiles lists what there is of the database in a folder.
func databaseFiles(dir string) (names []string, err error) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		_, err := os.Lstat(filepath.Join(dir, fileName+suffix))
		switch {
		case err == nil:
			names = append(names, fileName+suffix)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, backupError(rag.Unavailable, err, "the data folder %s cannot be read: %s", dir, reason(err))
		}
	}
	return names, nil
}

// checkRestored refuses a folder in which a restore was broken off.
func checkRestored(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, brokenOff)); err != nil {
		return nil // it is not there, or shows when the database is opened
	}
	return backupError(rag.Unavailable, nil, "a restore into %s was broken off; run \"weir restore\" again", dir)
}

// partialName is the file in which a backup of a data folder to a file grows.
// It is the same for the next one, which removes it if it was left behind.
func partialName(dir, to string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // two hosts that write to one folder are then told apart by their paths alone
	}
	sum := sha256.Sum256([]byte(host + "\x00" + dir))
	return filepath.Join(filepath.Dir(to), ".weir-backup-"+hex.EncodeToString(sum[:6])+".partial")
}

// giveName gives the finished file its name. Without replace, one that came to
// be in the meantime stays.
func giveName(partial, to string, replace bool) error {
	if !replace {
		switch err := os.Link(partial, to); {
		case errors.Is(err, fs.ErrExist):
			return backupError(rag.Conflict, err, "%s exists already", to)
		case err == nil:
			if err := os.Remove(partial); err != nil {
				return err
			}
			return syncFolder(filepath.Dir(to))
		}
		// A file system without links: a look has to do.
		if _, err := os.Lstat(to); err == nil {
			return backupError(rag.Conflict, nil, "%s exists already", to)
		}
	}
	if err := os.Rename(partial, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// syncFolder makes names in a folder last through a power cut.
func syncFolder(dir string) error {
	if modeless() { // Windows keeps them in its own journal, and does not sync folders
		return nil
	}
	f, err := os.Open(dir) //nolint:gosec // the operator's folder
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
