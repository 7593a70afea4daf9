package postgres_test

import (
	"fmt"
	"testing"

	"weir/internal/postgres"
	"weir/internal/rag"
)

// TestOutdatedInOrder: more documents than are looked up at once come each once
// and in their order, and those that were deleted meanwhile say so themselves.
func TestOutdatedInOrder(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.Superuser(db)})
	const documents, users = 700, 7
	c.SQL(t, db, fmt.Sprintf(`
INSERT INTO weir.owners (owner, name) SELECT md5('u' || i)::uuid, ('u' || i)::bytea FROM generate_series(0, %[2]d - 1) i;
INSERT INTO weir.documents (owner, id, body, filename, folded, status, bytes, sha256, chunks, replaces, due_at, created_at, updated_at)
SELECT md5('u' || i %% %[2]d)::uuid, gen_random_uuid(), i, 'f', 'f', 'ready', 1, i::text, 1, false, now(), now(), now() FROM generate_series(1, %[1]d) i`, documents, users))
	for _, m := range []rag.Model{{Name: "a", Dim: 2}, {Name: "b", Dim: 2}} {
		after, seen := int64(0), map[string]bool{}
		for {
			o, err := s.Outdated(t.Context(), m, after)
			if err != nil {
				t.Fatal(err)
			}
			if o == nil {
				break
			}
			if o.Order <= after || seen[o.DocID] || o.User == "" {
				t.Fatalf("after %d: %+v", after, o)
			}
			after, seen[o.DocID] = o.Order, true
			if len(seen)%50 != 0 {
				continue
			}
			if again, err := s.Outdated(t.Context(), m, after-1); err != nil || again.DocID != o.DocID {
				t.Fatalf("asked again: %+v, %v, want %+v", again, err, o)
			}
		}
		if len(seen) != documents {
			t.Errorf("%d documents of %d", len(seen), documents)
		}
	}
}
