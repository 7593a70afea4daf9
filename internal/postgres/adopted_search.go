package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"weir/internal/postings"
	"weir/internal/rag"
)

// Candidates implements [rag.Searcher].
func (p *Adopted) Candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	return p.candidates(ctx, user, q, p.now())
}

func (s adoption) attemptSearch(ctx context.Context, doing string, user rag.User, x *index, q rag.Query, turn bool, out *rag.Candidates) error {
	if turn {
		if x.take(ctx) != nil {
			return ended(ctx, doing)
		}
		defer x.leave()
	}
	var moved error
	err := s.transact(ctx, s.reading(s.search), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		moved, *out = nil, rag.Candidates{}
		listed, err := s.list(ctx, tx, user, q.Model)
		if err != nil || len(listed) == 0 {
			return err
		}
		h := adoptedSearch{adoption: s, tx: tx, x: x, v: x.view.Load(), q: q, user: user, with: map[string]int{}}
		for _, m := range listed {
			h.with[m.id] = m.withVector
		}
		generation := stampOf(listed)
		switch {
		case h.v == nil && q.Text != "":
			moved = errCold
			return nil
		case h.v == nil:
			h.v = newView(generation, number(nil, listed))
		case h.v.generation == generation:
		case !turn:
			moved = errBehind
			return nil
		default:
			if err := s.change(ctx, tx, x, listed); err != nil {
				return err
			}
			h.v = x.view.Load()
		}
		err = h.run(ctx, out)
		if errors.Is(err, errMoved) {
			moved, err = err, nil
		}
		return err
	})
	if err == nil {
		err = moved
	}
	return err
}

// adoptedSearch is one attempt.
type adoptedSearch struct {
	adoption
	tx   pgx.Tx
	x    *index
	v    *view
	q    rag.Query
	user rag.User
	with map[string]int // how many passages of a document have a vector of the model
}

func (h *adoptedSearch) run(ctx context.Context, out *rag.Candidates) (err error) {
	var among []*member
	count := func(m *member) {
		out.Chunks += m.chunks
		if h.q.Vector != nil {
			out.NoVector += m.chunks - h.with[m.id]
		}
	}
	if len(h.q.Documents) > 0 {
		among = h.v.only(h.q.Documents)
		for _, m := range among {
			count(m)
		}
	} else {
		for i := range h.v.members {
			count(&h.v.members[i])
		}
	}
	if out.Chunks == 0 {
		return nil
	}
	var hits []postings.Hit
	if h.q.Text != "" {
		if hits, out.Note, err = searchWords(ctx, h.analyzer, h.x, h.v, h.q, among); err != nil {
			return err
		}
	}
	var near []neighbor
	cosines := map[rag.Ref]float64{}
	if h.q.Vector != nil && out.NoVector < out.Chunks {
		if near, err = h.nearest(ctx, among, out.Chunks-out.NoVector); err != nil {
			return err
		}
		if cosines, err = h.cosines(ctx, hits); err != nil {
			return err
		}
	}
	gather(out, h.v, hits, near, cosines)
	return nil
}

// nearest finds the best of the n passages that have a vector of the model: of a
// user with many through the index of the tables, else by comparing every one.
func (h *adoptedSearch) nearest(ctx context.Context, among []*member, n int) ([]neighbor, error) {
	limit := min(h.q.Limit, n)
	k := trustKey{h.user, h.old.near.method, h.old.near.lists}
	if among != nil || !h.indexServes(limit, n) {
		return h.compare(ctx, among, limit)
	}
	use, check := h.trust.ask(k)
	if !use {
		return h.compare(ctx, nil, limit)
	}
	near, ok, err := h.throughIndex(ctx, limit, n)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return h.compare(ctx, nil, limit)
	case check:
		return h.check(ctx, k, near, limit)
	}
	return near, nil
}

// compare finds the nearest by comparing every one. The order is by an aggregate
// or a sum, which no index can serve: it is always exact.
func (h *adoptedSearch) compare(ctx context.Context, among []*member, limit int) ([]neighbor, error) {
	name, _ := h.asked(h.user)
	var ids []string
	if among != nil {
		ids = make([]string, len(among))
		for i, m := range among {
			ids[i] = m.id
		}
	}
	distance, group := fmt.Sprintf(h.sql("min(%s OPERATOR({ext}.<=>) $3::real[]::{ext}.vector)"), h.old.embedding), "GROUP BY d.document_id, c.chunk_ord, "+h.old.created
	if h.old.unique {
		distance, group = fmt.Sprintf(h.sql("(%s OPERATOR({ext}.<=>) $3::real[]::{ext}.vector) + 0"), h.old.embedding), ""
	}
	rows, err := h.tx.Query(ctx, fmt.Sprintf(`
SELECT d.document_id::text, c.chunk_ord, %s
%s
WHERE %s AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %d AND %s AND ($4::text[] IS NULL OR d.document_id::text = ANY($4))
%s ORDER BY 3, %s, d.document_id, c.chunk_ord LIMIT $5`,
		distance, h.old.passages(), h.old.user, maxChunks-1, h.hasVector(h.q.Model, "$2"), group, h.old.created), name, stored(h.q.Model.Name), h.q.Vector, ids, limit)
	if err != nil {
		return nil, err
	}
	return h.neighbors(rows)
}

// cosines tells the similarity of what the lexical half found.
func (h *adoptedSearch) cosines(ctx context.Context, hits []postings.Hit) (map[rag.Ref]float64, error) {
	cosines := make(map[rag.Ref]float64, len(hits))
	if len(hits) == 0 {
		return cosines, nil
	}
	ids, places := make([]string, len(hits)), make([]int32, len(hits))
	for i, hit := range hits {
		ids[i], places[i] = h.v.find(hit.Key).id, int32(hit.Chunk) //nolint:gosec // at most maxChunks
	}
	rows, err := h.tx.Query(ctx, fmt.Sprintf(h.sql(`
SELECT r.id, r.place, min(%s OPERATOR({ext}.<=>) $1::real[]::{ext}.vector)
FROM unnest($3::text[], $4::integer[]) r (id, place) JOIN document_chunks c ON c.document_id = r.id::%s AND c.chunk_ord = r.place
WHERE c.text IS NOT NULL AND %s GROUP BY 1, 2`), h.old.embedding, h.old.docType, h.hasVector(h.q.Model, "$2")), h.q.Vector, stored(h.q.Model.Name), ids, places)
	if err != nil {
		return nil, err
	}
	near, err := h.neighbors(rows)
	for _, n := range near {
		cosines[n.Ref] = n.cosine
	}
	return cosines, err
}

// neighbors reads rows of document, number and distance. A vector of zeros is
// like nothing (NaN) and is left out.
func (h *adoptedSearch) neighbors(rows pgx.Rows) (near []neighbor, err error) {
	var id string
	var place int
	var distance *float64
	_, err = pgx.ForEachRow(rows, []any{&id, &place, &distance}, func() error {
		if i, known := h.v.byID[id]; known && distance != nil && !math.IsNaN(*distance) {
			near = append(near, neighbor{Ref: rag.Ref{DocID: id, Index: place}, key: h.v.members[i].key, cosine: clamp(1 - *distance)})
		}
		return nil
	})
	return near, err
}

// Chunks implements [rag.Searcher].
func (p *Adopted) Chunks(ctx context.Context, user rag.User, refs []rag.Ref) ([]rag.Chunk, error) {
	s := p.now()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	name, ok := s.asked(user)
	if (!ok || len(refs) == 0) && ctx.Err() == nil {
		return nil, nil
	}
	ids, places := make([]string, 0, len(refs)), make([]int32, 0, len(refs))
	for _, ref := range refs {
		if ref.Index >= 0 && ref.Index < maxChunks {
			ids, places = append(ids, stored(ref.DocID)), append(places, int32(ref.Index))
		}
	}
	var chunks []rag.Chunk
	err := s.transact(ctx, s.reading(s.search), scope{}, "read passages", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`
WITH mine AS MATERIALIZED (SELECT d.document_id, %s AS filename FROM documents d WHERE %s AND d.document_id::text = ANY($2))
SELECT DISTINCT ON (r.place) coalesce(%s, ''), m.document_id::text, m.filename, c.chunk_ord, c.text
FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY r (id, ord, place)
JOIN mine m ON m.document_id::text = r.id JOIN document_chunks c ON c.document_id = m.document_id AND c.chunk_ord = r.ord
WHERE c.text IS NOT NULL ORDER BY r.place, 1`, s.old.filename, s.old.user, s.old.chunkID), name, ids, places)
		if err != nil {
			return err
		}
		chunks, err = pgx.CollectRows(rows, s.chunk)
		return err
	})
	if err != nil {
		return nil, err
	}
	return chunks, nil
}
