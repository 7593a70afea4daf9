package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// maxGraphDimensions is what pgvector can index, in halves of the precision.
const maxGraphDimensions = 4000

// Graphs says when a user's vectors are searched through an index (HNSW) that
// the store makes for their model and partition by itself, rather than one by
// one. The zero value is what was measured (docs/PERFORMANCE.md).
type Graphs struct {
	// From how many vectors on a user is searched through a graph, and one is made. Defaults to 5,000. Negative: never.
	From int
	// Sparse is how many times the user's vectors a partition may hold: a graph leads past all of them. Defaults to 8.
	Sparse float64
	// Effort is how many nearest the graph keeps in sight (hnsw.ef_search), at most 1,000. Defaults to 400.
	Effort int
	// Most is the largest number of hits that is asked of a graph. Defaults to 400.
	Most int
	// Every is how often it is looked whether a graph is due. Defaults to 1m.
	Every time.Duration
}

func (g Graphs) withDefaults() Graphs {
	if g.From == 0 {
		g.From = 5_000
	}
	if g.From < 0 {
		g.From = 1 << 62
	}
	if g.Sparse <= 0 {
		g.Sparse = 8
	}
	if g.Effort <= 0 {
		g.Effort = 400
	}
	if g.Most <= 0 {
		g.Most = 400
	}
	if g.Every <= 0 {
		g.Every = time.Minute
	}
	return g
}

// partitionOf finds the partition t of vectors of a user: all tables are divided
// in the same way, and of owners there is one row.
const partitionOf = `
FROM pg_class o JOIN pg_class t ON t.relnamespace = o.relnamespace AND t.relname = replace(o.relname, 'owners_', 'vectors_')
LEFT JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relname = t.relname || '_graph_' || $2::integer
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE o.oid = (SELECT tableoid FROM owners WHERE owner = $1)`

// selectGraphOf tells how many rows the graph of a user's partition and a
// model has; no row: there is none, or it is not finished.
const selectGraphOf = "SELECT greatest(c.reltuples, 0)::float8 " + partitionOf + " AND i.indisvalid"

// tendGraphs makes graphs that are due, until ctx ends.
func (s *Store) tendGraphs(ctx context.Context) {
	t := time.NewTicker(s.cfg.Graphs.Every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if err := s.MakeGraphs(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "an index of vectors could not be made; searches compare one by one meanwhile", "error", err)
		}
	}
}

// graph is one that is due.
type graph struct {
	partition, name string
	model           int32
	dimensions      int
	broken          bool // a making of it ended before its end
}

// MakeGraphs makes all graphs that are due, unless another server is at it.
func (s *Store) MakeGraphs(ctx context.Context) error {
	const doing = "look for indexes of vectors that are due"
	due, err := s.dueGraphs(ctx, doing)
	if err != nil || len(due) == 0 {
		return err
	}
	mine, err := s.claim(ctx, doing, "graphs", time.Hour)
	if err != nil || !mine {
		return err
	}
	for _, g := range due {
		err = errors.Join(err, s.makeGraph(ctx, g))
	}
	return errors.Join(err, s.unclaim(ctx, doing, "graphs"))
}

func (s *Store) dueGraphs(ctx context.Context, doing string) (due []graph, err error) {
	type large struct {
		owner uuid.UUID
		model int32
		dim   int
	}
	var users []large
	err = s.transact(ctx, s.reading(s.other), scope{queue: true}, doing, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
SELECT d.owner, d.model, m.dimensions FROM documents d JOIN models m ON m.key = d.model
WHERE d.status = 'ready' AND m.dimensions <= $2 GROUP BY d.owner, d.model, m.dimensions HAVING sum(d.chunks) >= $1`, s.cfg.Graphs.From, maxGraphDimensions)
		if err != nil {
			return err
		}
		users, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l large, err error) {
			return l, row.Scan(&l.owner, &l.model, &l.dim)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, u := range users {
		g := graph{model: u.model, dimensions: u.dim}
		var valid bool
		err := s.transact(ctx, s.reading(s.other), scope{owner: u.owner}, doing, func(ctx context.Context, tx pgx.Tx) error {
			err := tx.QueryRow(ctx, "SELECT t.relname, t.relname || '_graph_' || $2::integer, c.oid IS NOT NULL, coalesce(i.indisvalid, false)"+partitionOf,
				u.owner, u.model).Scan(&g.partition, &g.name, &g.broken, &valid)
			if noRows(err) {
				valid = true
				return nil
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if !valid && !seen[g.name] {
			seen[g.name] = true
			due = append(due, g)
		}
	}
	return due, nil
}

// claim takes a chore for a time, if nobody has it.
func (s *Store) claim(ctx context.Context, doing, name string, d time.Duration) (mine bool, err error) {
	err = s.transact(ctx, s.writing(), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
INSERT INTO chores (name, until) VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond')
ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE chores.until <= clock_timestamp()`, name, interval(d))
		mine = tag.RowsAffected() == 1
		return err
	})
	return mine, err
}

func (s *Store) unclaim(ctx context.Context, doing, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.AcquireTimeout)
	defer cancel()
	return s.transact(ctx, s.writing(), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE chores SET until = clock_timestamp() WHERE name = $1", name)
		return err
	})
}

// makeGraph makes one, while everybody goes on reading and writing. That cannot
// be done inside a transaction; what is left of a making that broke off is
// removed first.
func (s *Store) makeGraph(ctx context.Context, g graph) error {
	const doing = "make an index of vectors"
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	conn, err := s.acquire(ctx, s.other, doing)
	if err != nil {
		return s.explain(ctx, doing, err)
	}
	defer conn.Release()
	schema := quote(s.cfg.Schema) + "."
	began := time.Now()
	extension, _, err := s.inspect(ctx, conn.Conn())
	if err != nil {
		return s.explain(ctx, doing, err)
	}
	if g.broken {
		if _, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+schema+quote(g.name)); err != nil {
			return s.explain(ctx, doing, err)
		}
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE INDEX CONCURRENTLY IF NOT EXISTS %[1]s ON %[2]s%[3]s USING hnsw ((v::%[4]s.halfvec(%[5]d)) %[4]s.halfvec_ip_ops) WITH (ef_construction = 128) WHERE model = %[6]d",
		quote(g.name), schema, quote(g.partition), quote(extension), g.dimensions, g.model))
	if err != nil {
		var told *rag.Error
		if explained := s.explain(ctx, doing, err); errors.As(explained, &told) {
			return told
		}
		return err
	}
	s.log.InfoContext(ctx, "made an index of vectors", "partition", g.partition, "model", g.model, "took", time.Since(began))
	return nil
}
