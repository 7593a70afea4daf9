package rag

import (
	"context"
	"slices"
)

// selection is what fits into an answer.
type selection struct {
	passages  []Passage
	tokens    int
	truncated bool
}

// pick reads the best hits and keeps them in rank order while they fit the
// token budget; the first that does not fit ends the list. A hit whose
// document was deleted since the search is passed over. Neighbours share what
// the hits leave of the budget.
func (t *retrieval) pick(ctx context.Context, hits []hit) (selection, error) {
	var sel selection
	var groups [][]Passage // a hit and its neighbours
	for len(hits) > 0 && len(groups) < t.q.max && !sel.truncated {
		n := min(t.q.max-len(groups), len(hits))
		batch := hits[:n]
		hits = hits[n:]
		chunks, err := t.s.store.Chunks(ctx, t.user, refsOf(batch))
		if err != nil {
			return selection{}, err
		}
		byRef := make(map[Ref]Chunk, len(chunks))
		for _, c := range chunks {
			byRef[Ref{c.DocID, c.Index}] = c
		}
		for _, h := range batch {
			c, ok := byRef[h.Ref]
			if !ok {
				continue
			}
			if sel.tokens+c.Tokens > t.q.budget {
				sel.truncated = true
				break
			}
			sel.tokens += c.Tokens
			groups = append(groups, []Passage{primary(c, h)})
		}
	}
	if t.q.neighbors > 0 && len(groups) > 0 && !sel.truncated {
		if err := t.addNeighbors(ctx, groups, &sel); err != nil {
			return selection{}, err
		}
	}
	sel.passages = slices.Concat(groups...)
	if sel.passages == nil {
		sel.passages = []Passage{}
	}
	return sel, nil
}

// addNeighbors gives each group the passages around its hit, nearest first
// and better hits first, while they fit. A passage is in an answer once.
func (t *retrieval) addNeighbors(ctx context.Context, groups [][]Passage, sel *selection) error {
	taken := map[Ref]bool{}
	for _, g := range groups {
		taken[Ref{g[0].DocID, g[0].ChunkIndex}] = true
	}
	var refs []Ref
	owner := map[Ref]int{}
	for d := 1; d <= t.q.neighbors; d++ {
		for i, g := range groups {
			for _, index := range []int{g[0].ChunkIndex - d, g[0].ChunkIndex + d} {
				ref := Ref{g[0].DocID, index}
				if index >= 0 && !taken[ref] {
					taken[ref] = true
					owner[ref] = i
					refs = append(refs, ref)
				}
			}
		}
	}
	chunks, err := t.s.store.Chunks(ctx, t.user, refs)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if sel.tokens+c.Tokens > t.q.budget {
			sel.truncated = true
			break
		}
		sel.tokens += c.Tokens
		i := owner[Ref{c.DocID, c.Index}]
		groups[i] = append(groups[i], passage(c))
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b Passage) int { return a.ChunkIndex - b.ChunkIndex })
	}
	return nil
}

func refsOf(hits []hit) []Ref {
	refs := make([]Ref, len(hits))
	for i, h := range hits {
		refs[i] = h.Ref
	}
	return refs
}

func primary(c Chunk, h hit) Passage {
	p := passage(c)
	p.Primary, p.Score = true, h.score
	if h.HasCosine {
		p.Similarity = &h.Cosine
	}
	return p
}

func passage(c Chunk) Passage {
	p := Passage{
		ID: c.ID, DocID: c.DocID, ChunkIndex: c.Index, Content: c.Content, Filename: c.Filename, Tokens: c.Tokens,
		SectionPath: c.SectionPath,
	}
	if p.SectionPath == nil {
		p.SectionPath = []int{}
	}
	if c.SectionTitle != "" {
		p.SectionTitle = &c.SectionTitle
	}
	if c.PageStart > 0 {
		p.PageStart, p.PageEnd = &c.PageStart, &c.PageEnd
	}
	return p
}
