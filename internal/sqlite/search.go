package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/analysis"
	"weir/internal/postings"
	"weir/internal/rag"
	"weir/internal/sqlite/scan"
)

// patience is how many times a search begins anew because documents came or
// went under it, before it asks them to wait.
const patience = 4

// errMoved says that documents came or went under a search.
var errMoved = errors.New("the index changed during the search")

// Candidates implements [rag.Searcher].
func (s *Store) Candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	if err := checkUser(user); err != nil {
		return rag.Candidates{}, err
	}
	if err := q.Check(); err != nil {
		return rag.Candidates{}, err
	}
	for try := 0; ; try++ {
		out, err := s.candidates(ctx, user, q)
		if try < patience && errors.Is(err, errOutdated) {
			continue // the index was dropped, and is loaded anew
		}
		if err != nil {
			return rag.Candidates{}, s.fail(ctx, "search", err)
		}
		return out, nil
	}
}

func (s *Store) candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	if err := ctx.Err(); err != nil {
		return rag.Candidates{}, err
	}
	e, err := s.indexes.get(ctx, s.crew, user)
	if err != nil {
		return rag.Candidates{}, err
	}
	defer s.indexes.release(e)
	x := e.index

	turn := false
	defer func() {
		if turn {
			x.leave()
		}
	}()
	choose := false
	for try := 0; ; try++ {
		out, err := s.attempt(ctx, user, x, q, choose)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errMoved) {
			return rag.Candidates{}, err
		}
		var stale *staleError
		behind := errors.As(err, &stale)
		choose = choose || !behind
		if !turn && (behind || try >= patience) {
			v := x.view.Load()
			if behind {
				v = stale.view
			}
			if turn, err = x.take(ctx, v); err != nil {
				return rag.Candidates{}, err
			}
		}
		if turn {
			if err := s.catchUp(ctx, user, x); err != nil {
				if errors.Is(err, errOutdated) {
					s.indexes.drop(e)
				}
				return rag.Candidates{}, err
			}
			if try < patience {
				x.leave()
				turn = false
			}
		}
	}
}

// staleError is an errMoved: the database was ahead of the view.
type staleError struct{ view *view }

func (e *staleError) Error() string        { return "the index is behind the database" }
func (e *staleError) Is(target error) bool { return target == errMoved }

// attempt searches once, inside one snapshot of the database.
func (s *Store) attempt(ctx context.Context, user rag.User, x *index, q rag.Query, choose bool) (out rag.Candidates, err error) {
	c, err := s.search.take(ctx, s.closed)
	if err != nil {
		return out, err
	}
	defer s.search.give(c)
	v := x.view.Load()
	hit := search{Store: s, c: c, x: x, v: v, q: q}
	err = transact(ctx, c, "BEGIN", func(c *conn) error {
		_, generation, err := generationOf(c, user)
		if err != nil {
			return err
		}
		if generation != v.generation {
			return &staleError{view: v}
		}
		if hit.model, err = queryModel(c, q); err != nil {
			return err
		}
		out, err = hit.run(ctx, choose)
		return err
	})
	if err == nil && x.view.Load().removals != v.removals {
		err = errMoved // a document that was taken out may have been in one half and not in the other
	}
	return out, err
}

func queryModel(c *conn, q rag.Query) (int64, error) {
	if q.Vector == nil {
		return 0, nil
	}
	return modelKey(c, q.Model)
}

// search is one attempt.
type search struct {
	*Store
	c     *conn
	x     *index
	v     *view
	q     rag.Query
	model int64   // 0: not asked for, or no document has vectors of it
	only  []int64 // nil: all
}

func (h *search) run(ctx context.Context, choose bool) (out rag.Candidates, err error) {
	h.restrict(&out, choose)
	if out.Chunks == 0 {
		return out, nil
	}
	var words []postings.Hit
	if h.q.Text != "" {
		if words, out.Note, err = h.words(ctx); err != nil {
			return rag.Candidates{}, err
		}
	}
	var near []scan.Hit
	cosines, has := make([]float32, len(words)), make([]bool, len(words))
	if index := h.v.vectors[h.model]; h.model != 0 && index != nil && out.NoVector < out.Chunks {
		if near, _, err = index.Search(ctx, h.q.Vector, h.q.Limit, h.only, h); err != nil {
			return rag.Candidates{}, err
		}
		if cosines, has, err = h.cosines(ctx, index, words); err != nil {
			return rag.Candidates{}, err
		}
	}
	return out, h.gather(&out, words, cosines, has, near)
}

// restrict works out which documents are searched, and counts their chunks.
func (h *search) restrict(out *rag.Candidates, choose bool) {
	count := func(d *document) {
		out.Chunks += d.chunks
		if h.q.Vector != nil && (h.model == 0 || d.model != h.model) {
			out.NoVector += d.chunks
		}
	}
	if len(h.q.Documents) > 0 {
		wanted := make(map[string]bool, len(h.q.Documents))
		for _, id := range h.q.Documents {
			wanted[id] = true
		}
		h.only = make([]int64, 0, len(wanted))
		for i := range h.v.documents {
			if d := &h.v.documents[i]; wanted[d.id] {
				h.only = append(h.only, d.key)
				count(d)
			}
		}
		return
	}
	for i := range h.v.documents {
		count(&h.v.documents[i])
	}
	if choose || h.x.hides() {
		h.only = h.v.keys()
	}
}

// words runs the lexical half.
func (h *search) words(ctx context.Context) (hits []postings.Hit, note string, err error) {
	var langs []analysis.Lang
	for _, l := range h.x.words.Langs() {
		langs = append(langs, analysis.Lang(l))
	}
	asked := h.analyzer.Query(h.q.Text, langs, func(term string) bool { return h.x.words.Frequency(term) > 0 })
	groups := make([]postings.Group, len(asked.Groups))
	for i, g := range asked.Groups {
		groups[i] = make(postings.Group, len(g))
		for j, a := range g {
			groups[i][j] = postings.Alternative(a)
		}
	}
	if asked.Ignored > 0 {
		note = fmt.Sprintf("the question is long: %d of its words were left out of the search by words", asked.Ignored)
	}
	hits, err = h.x.words.Search(ctx, groups, h.q.Limit, h.only)
	return hits, note, err
}

// cosines tells the similarity of what the lexical half found.
func (h *search) cosines(ctx context.Context, index *scan.Index, words []postings.Hit) ([]float32, []bool, error) {
	var refs []scan.Ref
	var of []int
	for i, w := range words {
		if d := h.v.find(w.Key); d != nil && d.model == h.model {
			refs = append(refs, scan.Ref{Doc: w.Key, Pos: w.Chunk})
			of = append(of, i)
		}
	}
	values, found, err := index.Cosines(ctx, h.q.Vector, refs, h)
	if err != nil {
		return nil, nil, err
	}
	cosines, has := make([]float32, len(words)), make([]bool, len(words))
	for i, w := range of {
		cosines[w], has[w] = values[i], found[i]
	}
	return cosines, has, nil
}

// gather makes the candidates of the hits. A hit that the view does not show
// took the place of another: the search has to begin anew.
func (h *search) gather(out *rag.Candidates, words []postings.Hit, cosines []float32, has []bool, near []scan.Hit) error {
	lexical := make(map[rag.Ref]float64, len(words))
	for i, w := range words {
		d := h.v.find(w.Key)
		if d == nil {
			return errMoved
		}
		ref := rag.Ref{DocID: d.id, Index: w.Chunk}
		lexical[ref] = w.Score
		out.Lexical = append(out.Lexical, rag.Candidate{Ref: ref, Lexical: w.Score, Cosine: clamp(cosines[i]), HasCosine: has[i]})
	}
	for _, n := range near {
		d := h.v.find(n.Doc)
		if d == nil {
			return errMoved
		}
		ref := rag.Ref{DocID: d.id, Index: n.Pos}
		out.Vector = append(out.Vector, rag.Candidate{Ref: ref, Lexical: lexical[ref], Cosine: clamp(n.Cosine), HasCosine: true})
	}
	return nil
}

// clamp takes out what rounding put beyond 1.
func clamp(cosine float32) float64 { return max(-1, min(1, float64(cosine))) }

// Fetch implements [scan.Fetcher] by point reads in the search's snapshot.
func (h *search) Fetch(ctx context.Context, refs []scan.Ref, dst [][]float32, found []bool) error {
	s, err := h.c.prepare("SELECT data FROM vectors WHERE id = ?")
	if err != nil {
		return err
	}
	defer func() { _ = done(s) }() // an error was told by Err
	for i, r := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := h.v.find(r.Doc)
		if d == nil {
			continue // hidden
		}
		if err := h.fetch(s, vectorID(d.body, r.Pos, h.model), dst[i], &found[i]); err != nil {
			return fmt.Errorf("vector %d of %s: %w", r.Pos, d.id, err)
		}
	}
	return nil
}

func (h *search) fetch(s *sqlite3.Stmt, id int64, dst []float32, found *bool) error {
	if err := s.BindInt64(1, id); err != nil {
		return err
	}
	if s.Step() {
		if *found = readVector(dst, s.ColumnRawBlob(0)); !*found {
			return fmt.Errorf("%w: a vector has the wrong length", sqlite3.CORRUPT)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return s.Reset()
}
