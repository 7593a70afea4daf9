package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"weir/internal/postings"
	"weir/internal/rag"
)

// neighbor is a hit of the vector half.
type neighbor struct {
	rag.Ref
	key    int64 // of its document
	cosine float64
}

// selectExact compares the question with every vector of the user that can be
// found. All vectors have unit length, so the inner product is the cosine.
// <#> between vectors is served by no index: those there are index halfvec.
const selectExact = `
SELECT d.body, v.idx, v.distance
FROM (SELECT key, body FROM documents WHERE owner = $1 AND status = 'ready' AND model = $2 AND ($3::bigint[] IS NULL OR body = ANY($3)) OFFSET 0) d
CROSS JOIN LATERAL (SELECT v.idx, v.v OPERATOR({ext}.<#>) $4::real[]::{ext}.vector AS distance FROM vectors v WHERE v.owner = $1 AND v.body = d.body AND v.model = $2 OFFSET 0) v
ORDER BY v.distance, d.key, v.idx LIMIT $5`

// nearest is the vector half: the best of n chunks that have a vector of the
// model.
func (h *search) nearest(ctx context.Context, among []*member, n int) ([]neighbor, error) {
	limit := min(h.q.Limit, n)
	if among == nil {
		near, ok, err := h.throughGraph(ctx, limit, n)
		if err != nil || ok {
			return near, err
		}
	}
	var bodies []int64
	if among != nil {
		bodies = make([]int64, len(among))
		for i, m := range among {
			bodies[i] = m.body
		}
	}
	rows, err := h.tx.Query(ctx, h.sql(selectExact), h.owner, h.model, bodies, h.q.Vector, limit)
	if err != nil {
		return nil, err
	}
	return h.neighbors(rows)
}

// neighbors reads rows of body, index and negative inner product. What the view
// does not show is left out.
func (h *search) neighbors(rows pgx.Rows) (near []neighbor, err error) {
	var body int64
	var index int
	var distance float64
	_, err = pgx.ForEachRow(rows, []any{&body, &index, &distance}, func() error {
		if m := h.v.holding(body); m != nil && m.model == h.model && index < m.chunks {
			near = append(near, neighbor{Ref: rag.Ref{DocID: m.id, Index: index}, key: m.key, cosine: clamp(-distance)})
		}
		return nil
	})
	return near, err
}

func (n neighbor) compare(o neighbor) int {
	return cmp.Or(cmp.Compare(o.cosine, n.cosine), cmp.Compare(n.key, o.key), cmp.Compare(n.Index, o.Index))
}

// clamp takes out what rounding put beyond 1.
func clamp(cosine float64) float64 { return max(-1, min(1, cosine)) }

const selectCosines = `
SELECT r.body, r.idx, v.distance
FROM unnest($3::bigint[], $4::integer[]) r (body, idx)
CROSS JOIN LATERAL (SELECT v.v OPERATOR({ext}.<#>) $5::real[]::{ext}.vector AS distance FROM vectors v WHERE v.owner = $1 AND v.body = r.body AND v.model = $2 AND v.idx = r.idx OFFSET 0) v`

// cosines tells the similarity of what the lexical half found.
func (h *search) cosines(ctx context.Context, hits []postings.Hit) (map[rag.Ref]float64, error) {
	var bodies []int64
	var indexes []int32
	for _, hit := range hits {
		if m := h.v.find(hit.Key); m != nil && m.model == h.model {
			bodies, indexes = append(bodies, m.body), append(indexes, int32(hit.Chunk)) //nolint:gosec // at most maxChunks
		}
	}
	cosines := make(map[rag.Ref]float64, len(bodies))
	if len(bodies) == 0 {
		return cosines, nil
	}
	rows, err := h.tx.Query(ctx, h.sql(selectCosines), h.owner, h.model, bodies, indexes, h.q.Vector)
	if err != nil {
		return nil, err
	}
	near, err := h.neighbors(rows)
	for _, n := range near {
		cosines[n.Ref] = n.cosine
	}
	return cosines, err
}

// selectGraph takes what the graph of a partition and model has nearest, in
// halves of the precision, and compares it in full. The model stands in the text
// because the planner has to see that it is that of the index.
const selectGraph = `
SELECT c.body, c.idx, c.v OPERATOR({ext}.<#>) $2::real[]::{ext}.vector
FROM (SELECT body, idx, v FROM vectors WHERE owner = $1 AND model = %d
      ORDER BY (v::{ext}.halfvec(%[2]d)) OPERATOR({ext}.<#>) $2::real[]::{ext}.halfvec(%[2]d) LIMIT $3) c`

// throughGraph searches by graph where there is one and it is the shorter way.
// ok is false where the rows have to be compared one by one: for want of a
// graph, because it did not find enough, or because it would not be faster.
func (h *search) throughGraph(ctx context.Context, limit, n int) (near []neighbor, ok bool, err error) {
	g := h.cfg.Graphs
	if n < g.From || h.q.Model.Dim > maxGraphDimensions || limit > g.Most {
		return nil, false, nil
	}
	var rows float64
	err = h.tx.QueryRow(ctx, selectGraphOf, h.owner, h.model).Scan(&rows)
	if noRows(err) {
		return nil, false, nil
	}
	if err != nil || float64(n)*g.Sparse < rows {
		return nil, false, err
	}
	// More than asked for: halves of the precision shuffle neighbours, and documents not ready take places.
	ask := 2*limit + 20
	if _, err := h.tx.Exec(ctx, fmt.Sprintf(
		"SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL hnsw.ef_search = %d; SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.max_scan_tuples = %d",
		min(max(g.Effort, ask), 1000), max(20_000, n))); err != nil {
		return nil, false, err
	}
	found, err := h.tx.Query(ctx, fmt.Sprintf(h.sql(selectGraph), h.model, h.q.Model.Dim), h.owner, h.q.Vector, ask)
	if err != nil {
		return nil, false, err
	}
	if near, err = h.neighbors(found); err != nil {
		return nil, false, err
	}
	if _, err := h.tx.Exec(ctx, "SET LOCAL enable_sort = on; SET LOCAL enable_bitmapscan = on"); err != nil {
		return nil, false, err
	}
	if len(near) < limit {
		return nil, false, nil
	}
	h.graphs.Add(1)
	slices.SortFunc(near, neighbor.compare)
	return near[:limit], true, nil
}
