package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"
)

const (
	// usesEvery is how often it is written which keys were used since.
	usesEvery = time.Minute
	// usesParting is how long the end waits for the last of it.
	usesParting = time.Second
	// usesForget is for how long what is not in the file of keys is kept: another server may
	// have read a key that this one has not yet.
	usesForget = time.Hour
)

// UsesPath is the file beside a file of keys that says when each was last used. It is
// another because the first may be there to be read alone, and because a server
// that fails to write this one must lose nothing of that.
func UsesPath(keysFile string) string { return keysFile + ".used" }

// usesFile is that file as it is written.
type usesFile struct {
	Version int                  `json:"version"`
	Used    map[string]time.Time `json:"used"` // by the key's id; to the second
}

// ReadUses reads when keys were last used, by their ids, as the servers that take them have written
// down so far; see [UsesPath]. One that is not there is fs.ErrNotExist.
func ReadUses(path string) (map[string]time.Time, error) {
	// To open a pipe would wait for somebody to write to it, and a device may never end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the last uses of keys cannot be read: %s is no file", path)
	}
	f, err := os.Open(path) //nolint:gosec // beside the operator's own file
	if err != nil {
		return nil, fmt.Errorf("the last uses of keys cannot be read: %w", err)
	}
	defer f.Close()                                             //nolint:errcheck // it is only read
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1)) //nolint:forbidigo // bounded
	if err != nil {
		return nil, fmt.Errorf("the last uses of keys cannot be read: %w", err)
	}
	var file usesFile
	if err := json.Unmarshal(content, &file); err != nil || file.Version != fileVersion {
		return nil, fmt.Errorf("%s is not a file of last uses as this program writes it; delete it to have it made anew", path)
	}
	return file.Used, nil
}

// uses keeps when keys were last used, and has it written now and then. A call
// that uses a key waits for no file.
type uses struct {
	path  string
	log   *slog.Logger
	known func(id string) bool
	now   func() time.Time
	save  func(ctx context.Context, fresh map[string]time.Time) error // merge, but in tests

	mu    sync.Mutex
	fresh map[string]time.Time // since the last writing
	said  string               // the trouble that was logged last; "": none
}

func newUses(path string, log *slog.Logger, now func() time.Time, known func(id string) bool) *uses {
	u := &uses{path: path, log: log, known: known, now: now, fresh: map[string]time.Time{}}
	u.save = u.merge
	return u
}

// note is on the way of every call.
func (u *uses) note(id string, now time.Time) {
	u.mu.Lock()
	u.fresh[id] = now
	u.mu.Unlock()
}

// run writes until ctx ends, and once more. It is written beside: a disk that hangs holds
// up neither run nor its end, and is asked once.
func (u *uses) run(ctx context.Context) {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	done := make(chan struct{}, 1) // of the one writing that may be under way
	busy := false
	begin := func() {
		if fresh := u.take(); !busy && len(fresh) > 0 {
			busy = true
			go func() { u.write(context.WithoutCancel(ctx), fresh); done <- struct{}{} }()
		} else {
			u.putBack(fresh)
		}
	}
	for {
		select {
		case <-tick.C:
			begin()
		case <-done:
			busy = false
		case <-ctx.Done():
			begin()
			if !busy {
				return
			}
			parting := time.NewTimer(usesParting)
			defer parting.Stop()
			select {
			case <-done:
			case <-parting.C: // a minute of uses is lost, and no more
			}
			return
		}
	}
}

func (u *uses) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	fresh := u.fresh
	u.fresh = map[string]time.Time{}
	return fresh
}

// putBack keeps for the next writing what was not written.
func (u *uses) putBack(old map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range old {
		if u.fresh[id].Before(at) {
			u.fresh[id] = at
		}
	}
}

func (u *uses) write(ctx context.Context, fresh map[string]time.Time) {
	err := u.save(ctx, fresh)
	said := ""
	if err != nil {
		u.putBack(fresh) // it holds as many as there are keys at most
		said = err.Error()
	}
	u.mu.Lock()
	again := u.said == said
	u.said = said
	u.mu.Unlock()
	if err != nil && !again { // once; where the folder may only be read it is meant so
		u.log.InfoContext(ctx, "when keys were last used is not written down; calls are answered all the same", "error", err)
	}
}

// merge brings the file up to date. Of what several servers know, the later counts, unless it
// is yet to come: a clock was wrong.
func (u *uses) merge(ctx context.Context, fresh map[string]time.Time) error {
	unlock, err := lockFile(ctx, u.path)
	if err != nil {
		return err
	}
	defer unlock()
	used, err := ReadUses(u.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if used == nil {
		used = map[string]time.Time{}
	}
	latest, ahead := time.Time{}, u.now().Add(usesForget)
	maps.DeleteFunc(used, func(_ string, at time.Time) bool { return at.After(ahead) })
	for id, at := range fresh {
		if at = at.UTC().Truncate(time.Second); used[id].Before(at) {
			used[id] = at
		}
		if latest.Before(at) {
			latest = at
		}
	}
	maps.DeleteFunc(used, func(id string, at time.Time) bool { return !u.known(id) && latest.Sub(at) > usesForget })
	content, err := json.MarshalIndent(usesFile{fileVersion, used}, "", "  ")
	if err != nil {
		return fmt.Errorf("the last uses of keys cannot be written as JSON: %w", err)
	}
	return replaceFile(u.path, append(content, '\n'))
}
