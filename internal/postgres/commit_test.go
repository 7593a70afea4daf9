package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// TestCommitOfACallerWhoLeft: nobody waits to the deadline for the answer to a
// commit when the caller has left, as the sweeper does when the store is closed.
func TestCommitOfACallerWhoLeft(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	c.SQL(t, db, `
CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON weir.documents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.wait()`)
	conn, err := pgx.Connect(t.Context(), c.Superuser(db))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock(7)"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	told := make(chan error, 1)
	go func() {
		_, _, err := s.Add(ctx, alice, upload("a.txt", "a"))
		told <- err
	}()
	await(t, c, db, true) // for the end of the transaction
	cancel()
	wantTold(t, <-told, "Add", rag.Unavailable)
	if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	whole(t, s)
}

// TestServerKnowsTheDeadline: the database ends what its caller does not wait for
// any more, though nobody should come to tell it.
func TestServerKnowsTheDeadline(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Patience: 20 * time.Second})
	c.SQL(t, db, `
CREATE TABLE public.seen (ms bigint);
GRANT INSERT ON public.seen TO PUBLIC;
CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.seen VALUES (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000);
  RETURN NULL;
END $$;
CREATE TRIGGER look AFTER INSERT ON weir.documents FOR EACH ROW EXECUTE FUNCTION public.look()`)
	for _, test := range []struct {
		name  string
		given time.Duration // 0: no deadline
		most  int64         // milliseconds
	}{
		{"a minute", time.Minute, 60_000},
		{"ten seconds", 10 * time.Second, 10_000},
		{"none", 0, 20_000},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if test.given > 0 {
			ctx, cancel = context.WithTimeout(t.Context(), test.given)
		}
		if _, _, err := s.Add(ctx, alice, upload(test.name, test.name)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		cancel()
		if got := c.Number(t, db, "SELECT coalesce(max(ms), -1) FROM public.seen"); got < 1 || got > test.most {
			t.Errorf("%s: the server gives a statement %d ms", test.name, got)
		}
		c.SQL(t, db, "TRUNCATE public.seen")
	}
}
