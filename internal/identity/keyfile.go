package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

const (
	fileVersion  = 1
	maxKeyFile   = 16 << 20 // bytes
	lockPatience = 5 * time.Second
	lockPoll     = 20 * time.Millisecond
)

// keyFile is the file of keys as it is written.
type keyFile struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"`
}

// ReadKeys reads a file of keys, all of it or none. One that is not there is
// fs.ErrNotExist.
func ReadKeys(path string) ([]Key, error) {
	keys, _, err := readKeys(path)
	return keys, err
}

func readKeys(path string) ([]Key, fs.FileInfo, error) {
	// To open a pipe would wait for somebody to write to it, and a device may never end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, info, fmt.Errorf("the file of keys %s is no file", path)
	}
	f, err := os.Open(path) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, nil, fmt.Errorf("the file of keys cannot be opened: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("the file of keys cannot be looked at: %w", err)
	}
	const byAnybody = 0o002
	if info.Mode().Perm()&byAnybody != 0 {
		return nil, info, fmt.Errorf("the file of keys %s can be written by anybody; take that away (chmod o-w)", path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1)) //nolint:forbidigo // bounded
	switch {
	case err != nil:
		return nil, info, fmt.Errorf("the file of keys cannot be read: %w", err)
	case len(content) > maxKeyFile:
		return nil, info, fmt.Errorf("the file of keys is longer than %d bytes", maxKeyFile)
	}
	keys, err := parseKeys(content)
	if err != nil {
		return nil, info, fmt.Errorf("the file of keys %s cannot be used: %w", path, err)
	}
	return keys, info, nil
}

func parseKeys(content []byte) ([]Key, error) {
	var file keyFile
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields() // of a newer version, and perhaps a restriction
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("it is not the JSON that was expected: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows its JSON")
	}
	if file.Version != fileVersion {
		return nil, fmt.Errorf("its version is %d, and this program reads %d", file.Version, fileVersion)
	}
	seen := map[string]bool{}
	for _, k := range file.Keys {
		if err := k.valid(); err != nil {
			return nil, err
		}
		if seen[k.ID] {
			return nil, fmt.Errorf("key %s is there twice", k.ID)
		}
		seen[k.ID] = true
	}
	return file.Keys, nil
}

// EditKeys lets change alter the keys of a file, which is made when it is not
// there. Whoever reads at the same time sees the file before or after, whole; who edits
// waits, up to 5 s.
func EditKeys(ctx context.Context, path string, change func([]Key) ([]Key, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the file of keys cannot be made: %w", err)
	}
	unlock, err := lockFile(ctx, path)
	if err != nil {
		return fmt.Errorf("the file of keys: %w", err)
	}
	defer unlock()
	keys, err := ReadKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it may be mended; to write over it would lose the keys
	}
	if keys, err = change(slices.Clone(keys)); err != nil {
		return err
	}
	content, err := json.MarshalIndent(keyFile{fileVersion, keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("the keys cannot be written as JSON: %w", err)
	}
	return replaceFile(path, append(content, '\n'))
}

// lockFile waits for a file to be nobody else's to change, up to 5 s. The lock is a
// file beside: the file itself is replaced.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	bound, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if ok, err := lock.TryLockContext(bound, lockPoll); err != nil || !ok {
		return nil, fmt.Errorf("%s is being changed by another, or cannot be locked: %w", path, err)
	}
	return func() { _ = lock.Close() }, nil // the process gives it back in any case
}

// replaceFile writes a file, whole or not at all. It keeps the mode and the owner
// of the one before; a new one is for the eyes of its folder's owner.
func replaceFile(path string, content []byte) (err error) {
	// A link is followed: what it points to is what is meant.
	if target, e := filepath.EvalSymlinks(path); e == nil {
		path = target
	}
	mode := fs.FileMode(0o600)
	like, err := os.Stat(path)
	if err == nil {
		mode = like.Mode().Perm()
	} else if like, err = os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // 0600
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what is left of it is of no use
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = errors.Join(f.Chmod(mode), giveTo(f.Name(), like), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}
