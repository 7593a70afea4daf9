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
