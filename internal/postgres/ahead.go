package postgres

import (
	"sync"

	"weir/internal/rag"
)

// outdatedAtOnce is how many outdated documents are looked up at once: no index
// leads to them, so that each look-up reads all documents.
const outdatedAtOnce = 256

// ahead is documents that the latest look-up found, for a caller who goes on
// from the one it was given. What has become of them since, the operations on
// them say; what has come since is found by the next round.
type ahead struct {
	mu    sync.Mutex
	model int32
	found []rag.Outdated
}

func (a *ahead) keep(model int32, found []rag.Outdated) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.model, a.found = model, found
}

// next returns the document behind the one at after, or nil when it does not
// know it.
func (a *ahead) next(model int32, after int64) *rag.Outdated {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.model != model || len(a.found) < 2 || a.found[0].Order != after {
		return nil
	}
	a.found = a.found[1:]
	o := a.found[0]
	return &o
}
