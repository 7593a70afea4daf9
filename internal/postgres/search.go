package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/analysis"
	"weir/internal/postings"
	"weir/internal/rag"
)

// patience is how many times a search begins anew because documents came or
// went under it, before it makes whoever changes the index wait.
const patience = 3

var (
	errMoved  = errors.New("the index changed during the search")
	errBehind = errors.New("the index is behind the database")
	errCold   = errors.New("the index is not in memory")
)

// Candidates implements [rag.Searcher].
func (s *Store) Candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	return s.candidates(ctx, user, q, s)
}

// searching is how a store searches once, and loads what that takes.
type searching interface {
	attemptSearch(ctx context.Context, doing string, user rag.User, x *index, q rag.Query, turn bool, out *rag.Candidates) error
	loadIndex(ctx context.Context, doing string, user rag.User, x *index) error
}

// candidates attempts a search until no document came or went under it.
func (d *database) candidates(ctx context.Context, user rag.User, q rag.Query, by searching) (out rag.Candidates, err error) {
	if err := checkUser(user); err != nil {
		return out, err
	}
	if err := q.Check(); err != nil {
		return out, err
	}
	const doing = "search"
	if q.Vector != nil {
		q.Vector = unit(q.Vector)
	}
	e := d.indexes.get(ownerOf(user))
	defer d.indexes.release(e)
	turn := false
	for try := 0; ; try++ {
		err := by.attemptSearch(ctx, doing, user, e.index, q, turn || try >= patience, &out)
		switch {
		case errors.Is(err, errCold):
			if err := d.warm(ctx, doing, e, func(ctx context.Context) error { return by.loadIndex(ctx, doing, user, e.index) }); err != nil {
				return rag.Candidates{}, err
			}
		case errors.Is(err, errBehind):
			turn = true
		case errors.Is(err, errMoved):
		case err != nil:
			return rag.Candidates{}, err
		default:
			return out, nil
		}
	}
}

// attemptSearch searches once, inside one snapshot of the database. With the
// turn it brings the index to that snapshot first.
func (s *Store) attemptSearch(ctx context.Context, doing string, user rag.User, x *index, q rag.Query, turn bool, out *rag.Candidates) error {
	if turn {
		if x.take(ctx) != nil {
			return ended(ctx, doing)
		}
		defer x.leave()
	}
	var moved error
	err := s.transact(ctx, s.reading(s.search), own(user), doing, func(ctx context.Context, tx pgx.Tx) error {
		moved, *out = nil, rag.Candidates{}
		h := search{Store: s, tx: tx, x: x, q: q, owner: ownerOf(user)}
		generation, err := h.begin(ctx)
		if err != nil || generation == 0 {
			return err // of a user without documents there is nothing to be found
		}
		h.v = x.view.Load()
		switch {
		case h.v == nil:
			moved = errCold
			return nil
		case h.v.generation == generation:
		case !turn:
			moved = errBehind
			return nil
		default:
			if err := s.catchUp(ctx, tx, h.owner, x, generation); err != nil {
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

// search is one attempt.
type search struct {
	*Store
	tx    pgx.Tx
	x     *index
	v     *view
	q     rag.Query
	owner uuid.UUID
	model int32 // of the question's vector; 0: not asked for, or nobody has vectors of it
}

// begin asks what the attempt has to know: the user's generation (0: no
// documents ever) and the model.
func (h *search) begin(ctx context.Context) (generation int64, err error) {
	err = h.tx.QueryRow(ctx, `
SELECT coalesce((SELECT generation FROM owners WHERE owner = $1), 0), coalesce((SELECT key FROM models WHERE name = $2 AND dimensions = $3), 0)`,
		h.owner, stored(h.q.Model.Name), h.q.Model.Dim).Scan(&generation, &h.model)
	if h.q.Vector == nil {
		h.model = 0
	}
	return generation, err
}

func (h *search) run(ctx context.Context, out *rag.Candidates) error {
	var among []*member // nil: all
	if len(h.q.Documents) > 0 {
		among = h.v.only(h.q.Documents)
		for _, m := range among {
			h.count(out, m)
		}
	} else {
		for i := range h.v.members {
			h.count(out, &h.v.members[i])
		}
	}
	if out.Chunks == 0 {
		return nil
	}
	var hits []postings.Hit
	if h.q.Text != "" {
		var err error
		if hits, out.Note, err = searchWords(ctx, h.analyzer, h.x, h.v, h.q, among); err != nil {
			return err
		}
	}
	var near []neighbor
	cosines := map[rag.Ref]float64{}
	if h.model != 0 && out.NoVector < out.Chunks {
		var err error
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

func (h *search) count(out *rag.Candidates, m *member) {
	out.Chunks += m.chunks
	if h.q.Vector != nil && (h.model == 0 || m.model != h.model) {
		out.NoVector += m.chunks
	}
}

// searchWords is the lexical half.
func searchWords(ctx context.Context, a *analysis.Analyzer, x *index, v *view, q rag.Query, among []*member) (hits []postings.Hit, note string, err error) {
	version, words := x.version.Load(), x.words.Load()
	if version%2 != 0 || words == nil {
		return nil, "", errMoved
	}
	var langs []analysis.Lang
	for _, l := range words.Langs() {
		langs = append(langs, analysis.Lang(l))
	}
	asked := a.Query(q.Text, langs, func(term string) bool { return words.Frequency(term) > 0 })
	groups := make([]postings.Group, len(asked.Groups))
	for i, g := range asked.Groups {
		groups[i] = make(postings.Group, len(g))
		for j, alt := range g {
			groups[i][j] = postings.Alternative(alt)
		}
	}
	if asked.Ignored > 0 {
		note = fmt.Sprintf("the question is long: %d of its words were left out of the search by words", asked.Ignored)
	}
	var only []int64
	if among != nil {
		only = make([]int64, len(among))
		for i, m := range among {
			only[i] = m.key
		}
	}
	if hits, err = words.Search(ctx, groups, q.Limit, only); err != nil {
		return nil, "", err
	}
	if x.version.Load() != version || x.view.Load() != v {
		return nil, "", errMoved
	}
	return hits, note, nil
}

// gather makes the candidates of the hits of both halves.
func gather(out *rag.Candidates, v *view, hits []postings.Hit, near []neighbor, cosines map[rag.Ref]float64) {
	lexical := make(map[rag.Ref]float64, len(hits))
	for _, hit := range hits {
		ref := rag.Ref{DocID: v.find(hit.Key).id, Index: hit.Chunk}
		lexical[ref] = hit.Score
		cosine, has := cosines[ref]
		out.Lexical = append(out.Lexical, rag.Candidate{Ref: ref, Lexical: hit.Score, Cosine: cosine, HasCosine: has})
	}
	for _, n := range near {
		out.Vector = append(out.Vector, rag.Candidate{Ref: n.Ref, Lexical: lexical[n.Ref], Cosine: n.cosine, HasCosine: true})
	}
}
