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

// keyring is the keys of a file as they are in force.
type keyring struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	keys    map[string]Key
	seen    fs.FileInfo // of the file at the last reading; nil: it was not there
	trouble error       // why the file is not what is in force
}

// newKeyring reads the file. One that is not there has no keys, yet; one that
// cannot be used is an error.
func newKeyring(path string, log *slog.Logger) (*keyring, error) {
	r := &keyring{path: path, log: log}
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

// refresh reads the file if it is another than before, or by force.
func (r *keyring) refresh(ctx context.Context, force bool) {
	info, err := os.Stat(r.path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && !force && r.seen != nil && os.SameFile(info, r.seen) &&
		info.ModTime().Equal(r.seen.ModTime()) && info.Size() == r.seen.Size() && info.Mode() == r.seen.Mode() {
		return
	}
	keys, info, err := readKeys(r.path)
	if err != nil {
		if r.trouble == nil || r.trouble.Error() != err.Error() {
			r.log.ErrorContext(ctx, "the file of keys cannot be used; the keys read before stay in force", "keys", len(r.keys), "error", err)
		}
		r.trouble = err
		if info != nil {
			r.seen = info
		}
		return
	}
	was := len(r.keys)
	r.trouble = nil
	r.take(keys, info)
	r.log.InfoContext(ctx, "the file of keys was read", "keys", len(r.keys), "keys_before", was)
}
