package postgres

import (
	"context"
	"fmt"
	"slices"

	"weir/internal/rag"
)

// selectNear takes what the index of all users' vectors has nearest to the
// question among the documents of one user. The scan goes on until it has found
// enough (relaxed_order), and what it finds is compared in full. To look twice as
// far as in the store's own graphs costs little beside the list of the user's
// documents, which is read anyway, and halves what is missed.
const selectNear = `
SELECT c.document_id::text, c.chunk_ord, c.embedding OPERATOR({ext}.<=>) $1::real[]::{ext}.vector
FROM document_chunks c
WHERE c.document_id = ANY($3::text[]::%s[]) AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %d AND %s
ORDER BY c.embedding OPERATOR({ext}.<=>) $1::real[]::{ext}.vector LIMIT $4`

// indexServes reports whether the tables have an index on all vectors that is the
// shorter way: the user has many, and of all vectors a part that the scan meets
// often enough. n is how many vectors of the model the user has.
func (h *adoptedSearch) indexServes(limit, n int) bool {
	g, x := h.cfg.Graphs, h.old.near
	sparse := g.Sparse
	if x.method == "hnsw" {
		sparse *= 2
	}
	return x.method != "" && n >= g.From && limit <= g.Most && float64(n)*sparse >= x.rows
}

// throughIndex searches through the index. ok is false where it did not find
// enough, so that each vector has to be compared.
func (h *adoptedSearch) throughIndex(ctx context.Context, limit, n int) (near []neighbor, ok bool, err error) {
	g, x := h.cfg.Graphs, h.old.near
	// More than asked for: rows of one number are one passage, the order is not
	// strict, and who looks further misses less.
	ask := max(2*limit+20, 200)
	var set string
	switch x.method {
	case "hnsw":
		set = fmt.Sprintf("SET LOCAL hnsw.ef_search = %d; SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.max_scan_tuples = %d",
			min(max(2*g.Effort, ask), 1000), max(20_000, n))
	default:
		set = fmt.Sprintf("SET LOCAL ivfflat.probes = %d; SET LOCAL ivfflat.iterative_scan = relaxed_order; SET LOCAL ivfflat.max_probes = %d",
			probes(x.lists, g.Effort), x.lists)
	}
	if _, err := h.tx.Exec(ctx, "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; "+set); err != nil {
		return nil, false, err
	}
	ids := make([]string, len(h.v.members))
	for i := range h.v.members {
		ids[i] = h.v.members[i].id
	}
	rows, err := h.tx.Query(ctx, fmt.Sprintf(h.sql(selectNear), h.old.docType, maxChunks-1, h.hasVector(h.q.Model, "$2")), h.q.Vector, stored(h.q.Model.Name), ids, ask)
	if err != nil {
		return nil, false, err
	}
	if near, err = h.neighbors(rows); err != nil {
		return nil, false, err
	}
	if _, err := h.tx.Exec(ctx, "SET LOCAL enable_sort = on; SET LOCAL enable_bitmapscan = on"); err != nil {
		return nil, false, err
	}
	slices.SortFunc(near, neighbor.compare)
	near = slices.CompactFunc(near, func(a, b neighbor) bool { return a.Ref == b.Ref }) // rows of one number and like vectors
	if !h.old.unique {
		near = firstOfEach(near)
	}
	if len(near) < limit {
		return nil, false, nil
	}
	h.graphs.Add(1)
	return near[:limit], true, nil
}

// firstOfEach keeps the nearest row of each passage.
func firstOfEach(near []neighbor) []neighbor {
	seen := make(map[rag.Ref]bool, len(near))
	return slices.DeleteFunc(near, func(n neighbor) bool {
		was := seen[n.Ref]
		seen[n.Ref] = true
		return was
	})
}

// probes is how many of an IVFFlat index's lists are read at first. An effort of
// 400, the default, is a tenth of them: the measured recall beside the exact
// search is in docs/PERFORMANCE.md.
func probes(lists, effort int) int { return min(max(lists*effort/4000, 10), lists) }
