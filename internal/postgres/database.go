package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/crew"
	"weir/internal/rag"
)

const (
	// commitGrace is how long the answer to a commit is waited for beyond the
	// caller's time: without it nobody knows whether the work is done.
	commitGrace = 250 * time.Millisecond
	// commitLeft is how long it is waited for after the caller has left: a store
	// that is closed must not wait for a database that does not answer.
	commitLeft = time.Second
	// abandoned is how long the server keeps a transaction of a client that has
	// fallen silent, beyond the time the call had.
	abandoned = 5 * time.Second
)

// database is the connections of a store, and the indexes that it keeps in memory.
type database struct {
	cfg    Config
	log    *slog.Logger
	search *pgxpool.Pool
	other  *pgxpool.Pool
	mask   func(string) string
	path   string // the search_path, quoted: the schema of the tables alone
	ext    string // the schema of pgvector, quoted
	plans  string // more settings of each transaction

	indexes *cache
	loads   chan struct{} // as many indexes are loaded at once, so that searches have connections left
	crew    *crew.Crew    // who loads them, and does what outlives a call

	sockets sockets

	full atomic.Bool // the last write met a full disk

	closing sync.Once
	calls   sync.WaitGroup
	gate    sync.RWMutex // held for reading to begin a call, for writing to end the taking of calls
	ended   bool
}

// connect makes the pools. It does not wait for a connection.
func connect(ctx context.Context, cfg Config) (*database, error) {
	base, err := parse(cfg.Address)
	if err != nil {
		return nil, err
	}
	d := &database{cfg: cfg, log: cfg.Log, loads: make(chan struct{}, max(1, cfg.Searches/2))}
	d.mask = masker(base.ConnConfig.Password)
	pool := func(size int) (*pgxpool.Pool, error) {
		c := base.Copy()
		c.MaxConns, c.MinConns = int32(min(size, 1000)), 0 //nolint:gosec // bounded here
		c.MaxConnIdleTime = 5 * time.Minute
		c.MaxConnLifetime = time.Hour
		c.MaxConnLifetimeJitter = 10 * time.Minute
		c.HealthCheckPeriod = 15 * time.Second
		c.PingTimeout = cfg.AcquireTimeout
		c.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
		c.ConnConfig.DialFunc = d.sockets.dial
		// Nothing is kept on the server between two transactions, which may not be the same server.
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		c.ConnConfig.StatementCacheCapacity = 0
		c.ConnConfig.OnNotice = nil
		if c.ConnConfig.RuntimeParams["application_name"] == "" {
			c.ConnConfig.RuntimeParams["application_name"] = "weir"
		}
		return pgxpool.NewWithConfig(ctx, c)
	}
	if d.search, err = pool(cfg.Searches); err != nil {
		return nil, d.explain(ctx, "open the store", err)
	}
	if d.other, err = pool(cfg.Others); err != nil {
		d.search.Close()
		return nil, d.explain(ctx, "open the store", err)
	}
	return d, nil
}

// close refuses new calls, waits for those under way and closes the connections.
func (d *database) close() {
	d.closing.Do(func() {
		d.gate.Lock()
		d.ended = true
		d.gate.Unlock()
		d.calls.Wait()
		late := time.AfterFunc(parting, d.sockets.cut)
		defer late.Stop()
		d.search.Close()
		d.other.Close()
	})
}

// enter begins a call; leave ends it.
func (d *database) enter() error {
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.ended {
		return errClosed()
	}
	d.calls.Add(1)
	return nil
}

func (d *database) leave() { d.calls.Done() }

// scope says whose rows a transaction may see.
type scope struct {
	owner uuid.UUID
	queue bool // of documents, owners and waste those of everybody
}

// mode is what a transaction is for.
type mode struct {
	pool  *pgxpool.Pool
	begin string
	write bool
}

func (d *database) reading(pool *pgxpool.Pool) mode {
	return mode{pool: pool, begin: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
}

func (d *database) writing() mode {
	return mode{pool: d.other, begin: "BEGIN ISOLATION LEVEL READ COMMITTED", write: true}
}

// transact runs f in a transaction that ends with ctx. What the server needs
// to know travels with the BEGIN, for this transaction only. It is run a
// second time where the connection was stale or others were in the way, if
// nothing can have happened.
func (d *database) transact(ctx context.Context, m mode, s scope, doing string, f func(ctx context.Context, tx pgx.Tx) error) error {
	if ctx.Err() != nil {
		return ended(ctx, doing)
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	bounded, cancel := d.bound(ctx)
	defer cancel()
	for try := 0; ; try++ {
		given := untilEnd(bounded)
		sent, err := d.attempt(bounded, m, s, doing, f)
		if m.write {
			if err == nil {
				d.full.Store(false)
			} else if stateOf(err) == diskFull {
				d.full.Store(true)
			}
		}
		stale := lost(err) && !sent
		if stale {
			m.pool.Reset() // its neighbours are no better
		}
		if state := stateOf(err); try < 2 && bounded.Err() == nil &&
			(stale || state == serializationFailure || state == deadlockDetected || state == uniqueViolation || state == queryCanceled && untilEnd(bounded) > given/10) {
			continue // a call that is cancelled long before its end is hit by what was meant for the last one on the connection
		}
		return d.explain(bounded, doing, err)
	}
}

// untilEnd is how much time ctx, which has a deadline, still gives.
func untilEnd(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

// bound gives a call without a deadline one.
func (d *database) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d.cfg.Patience)
}

// attempt is one try. sent tells that a commit went out, so that what f did
// may have happened.
func (d *database) attempt(ctx context.Context, m mode, s scope, doing string, f func(ctx context.Context, tx pgx.Tx) error) (sent bool, err error) {
	conn, err := d.acquire(ctx, m.pool, doing)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: d.beginQuery(ctx, m, s)})
	if err != nil {
		return false, err
	}
	if err := f(ctx, tx); err != nil {
		d.rollback(ctx, tx)
		return false, err
	}
	if !m.write {
		d.rollback(ctx, tx)
		return false, nil
	}
	if ctx.Err() != nil {
		d.rollback(ctx, tx)
		return false, ctx.Err()
	}
	// From here on the answer counts: what was done is not to be reported as undone.
	left := commitGrace
	if deadline, ok := ctx.Deadline(); ok {
		left += time.Until(deadline)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	soon := time.AfterFunc(left+commitLeft, cancel)
	defer soon.Stop()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			soon.Reset(commitLeft)
		}
	})()
	if err := tx.Commit(last); err != nil {
		if stateOf(err) != "" && !strings.HasPrefix(stateOf(err), "57P") {
			return false, err // the server says that it did not
		}
		code := rag.Unavailable
		if timedOut(err) {
			code = rag.Timeout
		}
		return true, &rag.Error{
			Code: code, Phase: phase, RetryAfter: again,
			Msg: doing + ": the database did not say whether it was done", Err: d.scrub(err),
		}
	}
	return true, nil
}

// rollback ends a transaction of which nothing is to remain. A connection on
// which that does not work at once is thrown away.
func (d *database) rollback(ctx context.Context, tx pgx.Tx) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitGrace)
	defer cancel()
	_ = tx.Rollback(last) // the pool sees that the connection is not idle, and drops it
}

// acquire takes a connection, for which it waits only part of the caller's time.
func (d *database) acquire(ctx context.Context, pool *pgxpool.Pool, doing string) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, d.cfg.AcquireTimeout)
	defer cancel()
	conn, err := pool.Acquire(wait)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() == nil && wait.Err() != nil {
		st := pool.Stat()
		msg := "the database does not answer"
		if st.AcquiredConns() >= st.MaxConns() {
			msg = fmt.Sprintf("all %d connections to the database are busy", st.MaxConns())
		}
		return nil, &rag.Error{Code: rag.Unavailable, Phase: phase, RetryAfter: again, Msg: doing + ": " + msg, Err: d.scrub(err)}
	}
	return nil, err
}

// beginQuery is a BEGIN and the settings of the transaction, one message.
func (d *database) beginQuery(ctx context.Context, m mode, s scope) string {
	left := d.cfg.Patience
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	// The server gives up shortly before the caller, so that the connection stays in order.
	limit := max(left-min(left/20, 50*time.Millisecond), time.Millisecond)
	var b strings.Builder
	b.WriteString(m.begin)
	fmt.Fprintf(&b, "; SET LOCAL statement_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d; SET LOCAL search_path = %s",
		limit.Milliseconds()+1, (left + abandoned).Milliseconds(), d.path)
	b.WriteString("; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0")
	b.WriteString(d.plans)
	owner, scope := "", ""
	if s.owner != uuid.Nil {
		owner = s.owner.String()
	}
	if s.queue {
		scope = "queue"
	}
	fmt.Fprintf(&b, "; SET LOCAL weir.owner = '%s'; SET LOCAL weir.scope = '%s'", owner, scope)
	return b.String()
}

// sql puts the schema of pgvector in a statement. That schema is not on the
// search_path: were it, a table of it that has the name of one of ours would be
// taken in the place of ours whenever ours is gone or not to be seen.
func (d *database) sql(text string) string { return strings.ReplaceAll(text, "{ext}", d.ext) }

// quote makes an identifier of a name.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func noRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
