package embed

import (
	"container/list"
	"crypto/sha256"
	"strconv"
	"sync"

	"weir/internal/rag"
)

// digest names a text in the vector space of one model.
type digest [sha256.Size]byte

// keyOf hashes model, number of values and text; a zero byte, which no model
// name holds, keeps the parts apart.
func keyOf(m rag.Model, text string) digest {
	b := make([]byte, 0, len(m.Name)+len(text)+24)
	b = append(b, m.Name...)
	b = append(b, 0)
	b = strconv.AppendInt(b, int64(m.Dim), 10)
	b = append(b, 0)
	b = append(b, text...)
	return sha256.Sum256(b)
}

// afresh names the same text for those who want the vector that it has now. Those
// of the same n share flights with one another alone.
func (k digest) afresh(n int64) digest {
	return sha256.Sum256(strconv.AppendInt(append(k[:], 0), n, 10))
}

// until names a text that was on its way when an era began, and that nobody is
// to find any more.
func (k digest) until(era int) digest {
	return sha256.Sum256(strconv.AppendInt(k[:], int64(era), 10))
}

// entryOverhead is what an entry costs beside its values: key, map cell, list
// element, slice header, rounded up.
const entryOverhead = 256

// cache keeps the vectors that were asked for last, within a number of bytes.
// Its vectors are shared: nobody changes them. It is safe for concurrent use.
//
// It is a plain list and map: 64 MiB of vectors are some ten thousand entries,
// asked for once per call. That needs no sharding and no admission policy, and
// a cache with goroutines of its own would be one more thing to close.
type cache struct {
	mu    sync.Mutex
	max   int // bytes
	bytes int
	byKey map[digest]*list.Element
	order *list.List // of *cached, most recent first
}

type cached struct {
	key    digest
	vector []float32
}

func newCache(maxBytes int) *cache {
	return &cache{max: maxBytes, byKey: map[digest]*list.Element{}, order: list.New()}
}

// get returns the vector of k, or nil.
func (c *cache) get(k digest) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[k]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return entry(e).vector
}

// put keeps v, which must not change any more, and lets go of what was not
// asked for the longest.
func (c *cache) put(k digest, v []float32) {
	size := sizeOf(v)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok || size > c.max {
		return
	}
	c.byKey[k] = c.order.PushFront(&cached{k, v})
	c.bytes += size
	for c.bytes > c.max {
		last := c.order.Back()
		old := entry(last)
		c.order.Remove(last)
		delete(c.byKey, old.key)
		c.bytes -= sizeOf(old.vector)
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey, c.bytes = map[digest]*list.Element{}, 0
	c.order.Init()
}

// size returns how many vectors there are, and their bytes.
func (c *cache) size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.bytes
}

func sizeOf(v []float32) int { return 4*len(v) + entryOverhead }

func entry(e *list.Element) *cached {
	return e.Value.(*cached) //nolint:errcheck,forcetypeassert // nothing else is put in
}

// memory is one cache for queries and a smaller one for passages: a large
// document must not push out the questions of the day. A passage is of use
// again only when a call failed in part and is made again.
type memory struct{ queries, passages *cache }

func newMemory(maxBytes int) memory {
	return memory{newCache(maxBytes - maxBytes/4), newCache(maxBytes / 4)}
}

func (m memory) get(k digest) []float32 {
	if v := m.queries.get(k); v != nil {
		return v
	}
	return m.passages.get(k)
}

func (m memory) clear() {
	m.queries.clear()
	m.passages.clear()
}

func (m memory) put(p rag.Purpose, k digest, v []float32) {
	if p == rag.ForIngest {
		m.passages.put(k, v)
		return
	}
	m.queries.put(k, v)
}
