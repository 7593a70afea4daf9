package postgres

import (
	"container/list"
	"sync"

	"github.com/google/uuid"
)

// cache keeps the indexes of users within a bound of bytes; the one not used
// for the longest time goes first, one in use never.
type cache struct {
	limit int64

	mu      sync.Mutex
	entries map[uuid.UUID]*list.Element
	order   list.List // of *entry, the one used last in front
	bytes   int64
}

type entry struct {
	owner uuid.UUID
	index *index
	users int
	bytes int64 // as last counted

	loading *flight
}

// flight is one loading of an index that whoever needs it waits for.
type flight struct {
	done chan struct{}
	err  error
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, entries: make(map[uuid.UUID]*list.Element)}
}

// get returns the entry of a user, to be given back with release.
func (c *cache) get(owner uuid.UUID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[owner]
	if !ok {
		e = c.order.PushFront(&entry{owner: owner, index: newIndex()})
		c.entries[owner] = e
	}
	c.order.MoveToFront(e)
	got := valueOf(e)
	got.users++
	return got
}

func valueOf(e *list.Element) *entry {
	got, ok := e.Value.(*entry)
	if !ok {
		panic("the list holds entries only")
	}
	return got
}

// release gives an entry back, and counts it anew.
func (c *cache) release(e *entry) {
	size := e.index.bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	c.bytes += size - e.bytes
	e.bytes = size
	for at := c.order.Back(); at != nil && c.bytes > c.limit; {
		before := at.Prev()
		if old := valueOf(at); old.users == 0 {
			c.order.Remove(at)
			delete(c.entries, old.owner)
			c.bytes -= old.bytes
		}
		at = before
	}
}

// load returns the loading under way, or starts one.
func (c *cache) load(e *entry, start func(f *flight) error) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.loading != nil {
		return e.loading, nil
	}
	f := &flight{done: make(chan struct{})}
	e.loading = f
	e.users++ // until it has landed
	if err := start(f); err != nil {
		e.loading = nil
		e.users--
		return nil, err
	}
	return f, nil
}

// landed ends a loading.
func (c *cache) landed(e *entry, f *flight, err error) {
	c.mu.Lock()
	e.loading = nil
	f.err = err
	c.mu.Unlock()
	close(f.done)
	c.release(e)
}
