package sqlite

import (
	"container/list"
	"context"
	"sync"

	"weir/internal/crew"
	"weir/internal/rag"
)

// cache keeps the indexes of users within a bound, the longest unused go
// first. One in use is never closed; nor is the one used last, so that a user
// larger than the bound is not loaded for each search.
type cache struct {
	limit int64
	load  func(ctx context.Context, user rag.User) (*index, error)

	mu      sync.Mutex // held for a few instructions
	entries map[rag.User]*entry
	recent  *list.List // of *entry; the one used last in front
	bytes   int64
}

// entry is an index, or the loading of one.
type entry struct {
	user   rag.User
	loaded chan struct{} // closed when index and err are set
	index  *index
	err    error

	// Under the cache's mu:
	users   int
	bytes   int64
	place   *list.Element
	dropped bool // to be closed by who uses it last
}

func newCache(limit int64, load func(ctx context.Context, user rag.User) (*index, error)) *cache {
	return &cache{limit: limit, load: load, entries: make(map[rag.User]*entry), recent: list.New()}
}

// get returns a user's index, loaded by the crew when it is not there. All who
// ask while it is loaded share the outcome, each waiting under their own ctx;
// the loading goes on without them. The caller gives the entry to release.
func (k *cache) get(ctx context.Context, by *crew.Crew, user rag.User) (*entry, error) {
	k.mu.Lock()
	e, known := k.entries[user]
	if !known {
		e = &entry{user: user, loaded: make(chan struct{})}
		k.entries[user] = e
		e.place = k.recent.PushFront(e)
	}
	e.users++
	if !known {
		e.users++ // the loading, until finish
	}
	k.recent.MoveToFront(e.place)
	k.mu.Unlock()
	if !known {
		if err := by.Start(func(ctx context.Context) {
			x, err := k.load(ctx, user)
			k.finish(e, x, err)
		}); err != nil {
			k.finish(e, nil, err)
		}
	}
	select {
	case <-e.loaded:
	case <-ctx.Done():
		k.release(e)
		return nil, ctx.Err()
	}
	if e.err != nil {
		k.release(e)
		return nil, e.err
	}
	return e, nil
}

// finish ends the loading; a failed one is forgotten, so that the next who
// asks loads again.
func (k *cache) finish(e *entry, x *index, err error) {
	e.index, e.err = x, err
	close(e.loaded)
	if err != nil {
		k.mu.Lock()
		k.forget(e)
		k.mu.Unlock()
	}
	k.release(e)
}

// peek returns a user's index only if it is loaded.
func (k *cache) peek(user rag.User) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, known := k.entries[user]
	if !known {
		return nil
	}
	select {
	case <-e.loaded:
	default:
		return nil
	}
	if e.err != nil {
		return nil
	}
	e.users++
	return e
}

// release counts the memory of an entry that is no longer used and makes room.
func (k *cache) release(e *entry) {
	var bytes int64
	select {
	case <-e.loaded:
		if e.err == nil {
			bytes = e.index.bytes()
		}
	default:
	}
	k.mu.Lock()
	e.users--
	if e.place != nil {
		k.bytes += bytes - e.bytes
		e.bytes = bytes
	}
	out := k.evict()
	if e.dropped && e.users == 0 {
		e.dropped = false
		out = append(out, e.index)
	}
	k.mu.Unlock()
	for _, x := range out {
		x.close()
	}
}

// evict forgets entries until the rest fits.
func (k *cache) evict() (out []*index) {
	at := k.recent.Back()
	for k.bytes > k.limit && at != nil && at != k.recent.Front() {
		e, ok := at.Value.(*entry)
		at = at.Prev()
		if !ok || e.users > 0 {
			continue
		}
		k.forget(e)
		out = append(out, e.index)
	}
	return out
}

// drop forgets an entry that is in use, so that the next who asks loads anew.
func (k *cache) drop(e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.place != nil {
		k.forget(e)
		e.dropped = true
	}
}

func (k *cache) forget(e *entry) {
	if e.place == nil {
		return
	}
	k.recent.Remove(e.place)
	e.place = nil
	k.bytes -= e.bytes
	if k.entries[e.user] == e {
		delete(k.entries, e.user)
	}
}

// close closes all indexes; nobody may be using any.
func (k *cache) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.entries {
		select {
		case <-e.loaded:
			if e.err == nil {
				e.index.close()
			}
		default:
		}
	}
	clear(k.entries)
	k.recent.Init()
}
