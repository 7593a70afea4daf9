package identity

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// keyPoll is how often the file of keys is looked at: a key that was revoked is
// refused soon after. A look is one stat; to be told by the system (inotify)
// does not work on all that can be mounted.
const keyPoll = 500 * time.Millisecond

// filePatience is how long is waited for the file before it is said that it does
// not come.
const filePatience = 5 * time.Second

// keyring is the keys of a file as they are in force.
type keyring struct {
	path     string
	log      *slog.Logger
	read     func(path string) ([]Key, fs.FileInfo, error)
	patience time.Duration
	turn     chan struct{} // taken by the one reading that is under way
	changed  func()        // is told of other keys in force; no lock is held. nil: nobody

	mu      sync.Mutex
	keys    map[string]Key
	seen    fs.FileInfo // of the file at the last reading; nil: it was not there
	trouble error       // why the file is not what is in force
}

// newKeyring reads the file. One that is not there has no keys, yet; one that
// cannot be used is an error.
func newKeyring(path string, log *slog.Logger) (*keyring, error) {
	r := &keyring{path: path, log: log, read: readKeys, patience: filePatience, turn: make(chan struct{}, 1)}
	keys, info, err := readKeys(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.trouble = err
	case err != nil:
		return nil, err
	}
	r.take(keys, info)
	return r, nil
}

func (r *keyring) take(keys []Key, info fs.FileInfo) {
	byID := make(map[string]Key, len(keys))
	for _, k := range keys {
		byID[k.ID] = k
	}
	r.keys, r.seen = byID, info
}

// find returns the key with that id.
func (r *keyring) find(id string) (Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[id]
	return k, ok
}

func (r *keyring) look() (keys int, trouble error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys), r.trouble
}

// watch follows the file until ctx ends.
func (r *keyring) watch(ctx context.Context) {
	tick := time.NewTicker(keyPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.refresh(ctx, false)
		}
	}
}

// reading is what came of a look at the file.
type reading struct {
	same bool // as before; nothing was read
	keys []Key
	info fs.FileInfo
	err  error
}

// refresh reads the file if it is another than before, or by force. It is read
// beside, and no lock is held meanwhile: a disk that hangs, such as a network's,
// must hold up neither the calls nor the end of the program. Until it answers, the file is not
// looked at again.
func (r *keyring) refresh(ctx context.Context, force bool) {
	late := time.NewTimer(r.patience)
	defer late.Stop()
	select {
	case r.turn <- struct{}{}:
	case <-late.C:
		return // it was said
	case <-ctx.Done():
		return
	}
	r.mu.Lock()
	seen := r.seen
	r.mu.Unlock()
	done := make(chan reading, 1)
	go func() { done <- r.lookAt(seen, force) }()
	select {
	case got := <-done:
		if r.settle(ctx, got) && r.changed != nil {
			r.changed()
		}
		<-r.turn
		return
	case <-late.C:
		r.settle(ctx, reading{err: errors.New("the file of keys could not be read in time; its disk does not answer")})
	case <-ctx.Done():
	}
	go func() { <-done; <-r.turn }() // what comes that late may be old
}

func (r *keyring) lookAt(seen fs.FileInfo, force bool) reading {
	info, err := os.Stat(r.path)
	if err == nil && !force && seen != nil && os.SameFile(info, seen) &&
		info.ModTime().Equal(seen.ModTime()) && info.Size() == seen.Size() && info.Mode() == seen.Mode() {
		return reading{same: true}
	}
	keys, info, err := r.read(r.path)
	return reading{keys: keys, info: info, err: err}
}

// settle reports whether other keys may be in force now.
func (r *keyring) settle(ctx context.Context, got reading) (read bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if got.same {
		return false
	}
	if err := got.err; err != nil {
		if r.trouble == nil || r.trouble.Error() != err.Error() {
			r.log.ErrorContext(ctx, "the file of keys cannot be used; the keys read before stay in force", "keys", len(r.keys), "error", err)
		}
		r.trouble = err
		if got.info != nil {
			r.seen = got.info
		} else {
			r.seen = nil // it is read again as soon as it answers
		}
		return false
	}
	was := len(r.keys)
	r.trouble = nil
	r.take(got.keys, got.info)
	r.log.InfoContext(ctx, "the file of keys was read", "keys", len(r.keys), "keys_before", was)
	return true
}
