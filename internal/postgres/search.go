package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/analysis"
	"weir/internal/crew"
	"weir/internal/postings"
	"weir/internal/rag"
)

const (
	// patience is how many times a search begins anew because documents came or
	// went under it, before it makes whoever changes the index wait.
	patience = 3
	// loadTime bounds the loading of one user's index, which goes on when those
	// who wait for it have left.
	loadTime = 5 * time.Minute
)

var (
	errMoved  = errors.New("the index changed during the search")
	errBehind = errors.New("the index is behind the database")
	errCold   = errors.New("the index is not in memory")
)

func checkQuery(user rag.User, q rag.Query) error {
	if err := checkUser(user); err != nil {
		return err
	}
	if q.Limit < 1 {
		return rag.FieldErrorf("limit", "must be positive, not %d", q.Limit)
	}
	if q.Vector == nil {
		return nil
	}
	if err := checkModel(q.Model); err != nil {
		return err
	}
	return checkVector(q.Vector, q.Model.Dim)
}

// Candidates implements [rag.Searcher].
func (s *Store) Candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	if err := checkQuery(user, q); err != nil {
		return rag.Candidates{}, err
	}
	const doing = "search"
	if q.Vector != nil {
		q.Vector = unit(q.Vector)
	}
	e := s.indexes.get(ownerOf(user))
	defer s.indexes.release(e)
	var out rag.Candidates
	err := untilStill(func(turn bool) error {
		return s.attemptSearch(ctx, doing, user, e.index, q, turn, &out)
	}, func() error {
		return s.warm(ctx, doing, s.crew, s.indexes, e, func(ctx context.Context) error { return s.loadIndex(ctx, doing, user, e.index) })
	})
	if err != nil {
		return rag.Candidates{}, err
	}
	return out, nil
}

// untilStill attempts a search until no document came or went under it.
func untilStill(attempt func(turn bool) error, warm func() error) error {
	turn := false
	for try := 0; ; try++ {
		err := attempt(turn || try >= patience)
		switch {
		case errors.Is(err, errCold):
			if err := warm(); err != nil {
				return err
			}
		case errors.Is(err, errBehind):
			turn = true
		case !errors.Is(err, errMoved):
			return err
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

// warm loads the index of a user, and not too many at once. It goes on when the
// caller leaves, so that the next one finds more done.
func (d *database) warm(ctx context.Context, doing string, by *crew.Crew, indexes *cache, e *entry, load func(ctx context.Context) error) error {
	f, err := indexes.load(e, func(f *flight) error {
		return by.Start(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, loadTime)
			defer cancel()
			select {
			case d.loads <- struct{}{}:
				defer func() { <-d.loads }()
				indexes.landed(e, f, load(ctx))
			case <-ctx.Done():
				indexes.landed(e, f, ended(ctx, doing))
			}
		})
	})
	if err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ended(ctx, doing)
	}
}

func (s *Store) loadIndex(ctx context.Context, doing string, user rag.User, x *index) error {
	owner := ownerOf(user)
	if x.take(ctx) != nil {
		return ended(ctx, doing)
	}
	defer x.leave()
	return s.transact(ctx, s.reading(s.search), own(user), doing, func(ctx context.Context, tx pgx.Tx) error {
		var generation int64
		err := tx.QueryRow(ctx, "SELECT generation FROM owners WHERE owner = $1", owner).Scan(&generation)
		if noRows(err) {
			return nil // the user is gone, as the search will see
		}
		if err != nil {
			return err
		}
		return s.catchUp(ctx, tx, owner, x, generation)
	})
}

// catchUp brings an index to a snapshot of the database. The caller has the
// turn.
func (s *Store) catchUp(ctx context.Context, tx pgx.Tx, owner uuid.UUID, x *index, generation int64) error {
	rows, err := tx.Query(ctx, "SELECT key, id, body, chunks, coalesce(model, 0) FROM documents WHERE owner = $1 AND status = 'ready' ORDER BY key", owner)
	if err != nil {
		return err
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m member, err error) {
		var id uuid.UUID
		err = row.Scan(&m.key, &id, &m.body, &m.chunks, &m.model)
		m.id = id.String()
		return m, err
	})
	if err != nil {
		return err
	}
	return x.change(ctx, newView(generation, members), func(ctx context.Context, of []member) iter.Seq2[postings.Document, error] {
		return func(yield func(postings.Document, error) bool) {
			for some := range slices.Chunk(of, segmentsAtOnce) {
				got, err := s.segmentsOf(ctx, tx, owner, some)
				for _, m := range some {
					if !yield(postings.Document{Key: m.key, Segment: got[m.key]}, err) || err != nil {
						return
					}
				}
			}
		}
	})
}

// segmentsAtOnce is how many segments are read with one question.
const segmentsAtOnce = 64

// segmentsOf reads the segments of some documents, by key. What is missing,
// damaged or of another form is made from the passages.
func (s *Store) segmentsOf(ctx context.Context, tx pgx.Tx, owner uuid.UUID, of []member) (map[int64][]byte, error) {
	bodies := make([]int64, len(of))
	for i, m := range of {
		bodies[i] = m.body
	}
	rows, err := tx.Query(ctx, `
SELECT d.key, b.data FROM unnest($2::bigint[]) r (body)
CROSS JOIN LATERAL (SELECT key FROM documents WHERE owner = $1 AND body = r.body AND status = 'ready' AND segment_form = $4 OFFSET 0) d
CROSS JOIN LATERAL (SELECT part, data FROM blobs WHERE owner = $1 AND body = r.body AND kind = $3 OFFSET 0) b
ORDER BY d.key, b.part`, owner, bodies, int16(segmentBlob), segmentForm)
	if err != nil {
		return nil, err
	}
	got := make(map[int64][]byte, len(of))
	var key int64
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&key, &data}, func() error {
		got[key] = append(got[key], data...)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, m := range of {
		if postings.Verify(got[m.key]) == nil {
			continue
		}
		filename, title := "", ""
		if err := tx.QueryRow(ctx, "SELECT filename, title FROM documents WHERE owner = $1 AND key = $2", owner, m.key).Scan(&filename, &title); err != nil {
			return nil, err
		}
		if got[m.key], err = s.makeSegment(ctx, tx, owner, m.body, m.chunks, original(filename), original(title)); err != nil {
			return nil, err
		}
	}
	return got, nil
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
