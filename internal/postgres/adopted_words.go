package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/postings"
	"weir/internal/rag"
)

// listed is a document of the user with passages.
type listed struct {
	id, filename string
	chunks       int
	withVector   int // of the model that was asked for
	stamp        int64
}

// list tells what the user can find, oldest first. The stamp of a document
// changes with every write to one of its passages, and with its name.
func (s adoption) list(ctx context.Context, tx pgx.Tx, user rag.User, model rag.Model) ([]listed, error) {
	name, ok := s.asked(user)
	if !ok {
		return nil, nil
	}
	rows, err := tx.Query(ctx, s.selectListed(model), name, stored(model.Name))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l listed, err error) {
		return l, row.Scan(&l.id, &l.filename, &l.chunks, &l.withVector, &l.stamp)
	})
}

func (s adoption) selectListed(model rag.Model) string {
	return fmt.Sprintf(`
SELECT d.document_id::text, %[1]s, %[6]s, %[6]s FILTER (WHERE %[2]s),
  ((sum(%[8]s) + hashtextextended(%[1]s, 1)) %% 9223372036854775783)::bigint
%[7]s
WHERE %[3]s AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %[4]d
GROUP BY d.document_id, %[1]s, %[5]s ORDER BY %[5]s, d.document_id`, s.old.filename, s.hasVector(model, "$2"), s.old.user, maxChunks-1, s.old.created, s.old.distinct(), s.old.passages(), s.old.version())
}

// plan has the database plan a search and not run it. It fails for columns that
// no search can be made of, and for rights that one needs.
func (s adoption) plan(ctx context.Context, tx pgx.Tx) error {
	nobody := "0"
	if s.old.userType == "uuid" {
		nobody = uuid.Nil.String()
	}
	_, err := tx.Exec(ctx, "EXPLAIN "+s.selectListed(rag.Model{Name: nobody, Dim: 1}), nobody, nobody)
	return err
}

// hasVector is the condition that a passage has a vector of a model, whose name
// is the parameter.
func (s adoption) hasVector(model rag.Model, parameter string) string {
	never := "false AND " + parameter + "::text = ''"
	if model.Dim == 0 || s.old.embedding == "" || (s.old.dimensions > 0 && s.old.dimensions != model.Dim) {
		return never
	}
	condition := s.old.embedding + " IS NOT NULL AND "
	unnamed := "false"
	if s.cfg.UnnamedModel != "" && s.cfg.UnnamedModel == model.Name {
		unnamed = "true"
	}
	if s.old.model == "" {
		condition += unnamed + " AND " + parameter + "::text <> ''"
	} else {
		condition += fmt.Sprintf("coalesce(%s::text = %s::text, %s)", s.old.model, parameter, unnamed)
	}
	if s.old.dimensions < 0 { // each vector has to be looked at
		condition = fmt.Sprintf(s.sql("CASE WHEN %s THEN {ext}.vector_dims(%s) = %d ELSE false END"), condition, s.old.embedding, model.Dim)
	}
	return condition
}

// stampOf is the generation of a list.
func stampOf(all []listed) int64 {
	h := fnv.New64a()
	var b [8]byte
	for _, m := range all {
		_, _ = h.Write([]byte(m.id))                         // never fails
		binary.LittleEndian.PutUint64(b[:], uint64(m.stamp)) //nolint:gosec // its bits
		_, _ = h.Write(b[:])
	}
	return int64(h.Sum64()) //nolint:gosec // its bits
}

// number gives the documents keys: those that have not changed the ones they
// had, the others new ones.
func number(old *view, all []listed) []member {
	last := int64(0)
	if old != nil && len(old.members) > 0 {
		last = old.members[len(old.members)-1].key
	}
	out := make([]member, 0, len(all))
	for _, l := range all {
		m := member{id: l.id, chunks: l.chunks, stamp: l.stamp}
		if old != nil {
			if i, ok := old.byID[l.id]; ok && old.members[i].stamp == l.stamp {
				m.key = old.members[i].key
			}
		}
		if m.key == 0 {
			last++
			m.key = last
		}
		m.body = m.key
		out = append(out, m)
	}
	return out
}

func (s adoption) loadIndex(ctx context.Context, doing string, user rag.User, x *index) error {
	if x.take(ctx) != nil {
		return ended(ctx, doing)
	}
	defer x.leave()
	began := time.Now()
	err := s.transact(ctx, s.reading(s.search), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		all, err := s.list(ctx, tx, user, rag.Model{})
		if err != nil {
			return err
		}
		return s.change(ctx, tx, x, all)
	})
	if took := time.Since(began); err == nil && took > time.Second {
		s.log.InfoContext(ctx, "read a user's words", "took", took)
	}
	return err
}

// change brings the index to a list. The caller has the turn.
func (s adoption) change(ctx context.Context, tx pgx.Tx, x *index, all []listed) error {
	names := make(map[string]string, len(all))
	for _, l := range all {
		names[l.id] = l.filename
	}
	return x.change(ctx, newView(stampOf(all), number(x.view.Load(), all)), func(ctx context.Context, of []member) iter.Seq2[postings.Document, error] {
		return func(yield func(postings.Document, error) bool) {
			for _, m := range of {
				segment, err := s.segment(ctx, tx, m.id, names[m.id])
				if !yield(postings.Document{Key: m.key, Segment: segment}, err) || err != nil {
					return
				}
			}
		}
	})
}

// segment makes the posting segment of a document. Its places are chunk_ord:
// gaps are passages without words, two rows of one number are one passage.
func (s adoption) segment(ctx context.Context, tx pgx.Tx, id, filename string) ([]byte, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
SELECT c.chunk_ord, c.text FROM document_chunks c
WHERE c.document_id = $1::text::%s AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %d ORDER BY c.chunk_ord, %s`, s.old.docType, maxChunks-1, s.old.chunkID), id)
	if err != nil {
		return nil, err
	}
	var texts []string
	var place int
	var text string
	if _, err := pgx.ForEachRow(rows, []any{&place, &text}, func() error {
		for len(texts) <= place {
			texts = append(texts, "")
		}
		switch {
		case texts[place] == "":
			texts[place] = text
		case texts[place] != text:
			texts[place] += "\n" + text
		}
		return nil
	}); err != nil {
		return nil, err
	}
	lang := s.analyzer.Detect(sample(len(texts), func(i int) string { return texts[i] }))
	w := newWriter(s.analyzer, lang, filename, "")
	for _, text := range texts {
		if text == "" {
			w.b.Add(postings.Field{}, postings.Field{})
			continue
		}
		w.add(passage{content: text})
	}
	return w.segment()
}
