package sqlite

import (
	"cmp"
	"slices"

	"weir/internal/sqlite/scan"
)

// document is what an index must know of a ready document.
type document struct {
	key    int64
	body   int64
	id     string
	chunks int
	model  int64 // of its vectors; 0: it has none
}

// view says what a search sees of an index. It is immutable.
type view struct {
	generation int64
	documents  []document // by key
	chunks     int
	removals   uint64                // how many times a document was taken out, ever
	vectors    map[int64]*scan.Index // by model
	replaced   chan struct{}         // closed when there is a newer view
}

func byKey(d document, key int64) int { return cmp.Compare(d.key, key) }

// find returns a visible document, or nil.
func (v *view) find(key int64) *document {
	if i, found := slices.BinarySearchFunc(v.documents, key, byKey); found {
		return &v.documents[i]
	}
	return nil
}

// keys lists all visible documents.
func (v *view) keys() []int64 {
	keys := make([]int64, len(v.documents))
	for i, d := range v.documents {
		keys[i] = d.key
	}
	return keys
}
