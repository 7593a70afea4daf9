package embed

import (
	"fmt"
	"testing"

	"weir/internal/rag"
)

func TestCacheIsBounded(t *testing.T) {
	const each = 4*dim + entryOverhead
	c := newCache(10*each + each/2)
	keys := make([]digest, 100)
	for i := range keys {
		keys[i] = keyOf(rag.Model{Name: "m", Dim: dim}, fmt.Sprint(i))
		c.put(keys[i], make([]float32, dim))
		if c.get(keys[0]) == nil { // asked for all the time: it stays
			t.Fatalf("after %d the first is gone", i)
		}
		if n, bytes := c.size(); n > 10 || bytes != n*each {
			t.Fatalf("%d entries of %d bytes", n, bytes)
		}
	}
	if c.get(keys[99]) == nil || c.get(keys[91]) == nil || c.get(keys[90]) != nil {
		t.Error("it is not the oldest that goes")
	}
	c.put(digest{}, make([]float32, 100*dim))
	if n, _ := c.size(); n != 10 {
		t.Errorf("what does not fit left %d entries", n)
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[digest]string{}
	for _, m := range []rag.Model{{Name: "m", Dim: 1}, {Name: "m", Dim: 11}, {Name: "m1", Dim: 1}} {
		for _, text := range []string{"a", "1a", "a\x00", "\x00a"} {
			k := keyOf(m, text)
			if other, twice := seen[k]; twice {
				t.Errorf("%v %q is %s", m, text, other)
			}
			seen[k] = fmt.Sprintf("%v %q", m, text)
		}
	}
}

// TestIngestDoesNotPushOutQueries: a large document leaves the questions in
// the cache.
func TestIngestDoesNotPushOutQueries(t *testing.T) {
	m := newMemory(1 << 16)
	q := keyOf(rag.Model{}, "question")
	m.put(rag.ForQuery, q, make([]float32, dim))
	for i := range 1000 {
		m.put(rag.ForIngest, keyOf(rag.Model{}, fmt.Sprint(i)), make([]float32, dim))
	}
	if m.get(q) == nil || m.get(keyOf(rag.Model{}, "999")) == nil {
		t.Error("gone")
	}
}
