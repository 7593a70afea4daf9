package rag

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Activity is a look at what goes on.
type Activity struct {
	InFlight     []Call `json:"in_flight"` // oldest first
	MaxInFlight  int    `json:"max_in_flight"`
	Queued       int    `json:"documents_queued"`
	Working      int    `json:"documents_in_work"`
	Model        *Model `json:"embedder"` // null: lexical retrieval only
	StoreError   string `json:"store_error,omitempty"`
	DefaultMode  Mode   `json:"default_mode"`
	TimeoutMS    int64  `json:"timeout_ms"`
	MaxFileBytes int64  `json:"max_file_bytes"`
}

// Call is one call in flight.
type Call struct {
	OperationID string  `json:"operation_id"`
	Operation   string  `json:"operation"`
	Stage       string  `json:"stage"`
	AgeMS       float64 `json:"age_ms"`
	LeftMS      float64 `json:"left_ms"` // until its deadline
}

// Status answers even while every slot is taken; it waits for nothing but the
// store's two counts, and for those not long.
func (s *Service) Status(ctx context.Context) Activity {
	st := Activity{
		InFlight: s.calls.list(time.Now()), MaxInFlight: s.cfg.MaxInFlight, DefaultMode: s.defaultMode(),
		TimeoutMS: s.cfg.Timeout.Milliseconds(), MaxFileBytes: s.cfg.MaxFileBytes,
	}
	if m := s.embedder.Model(); m != (Model{}) {
		st.Model = &m
	}
	ctx, cancel := context.WithTimeoutCause(ctx, min(time.Second, s.cfg.Timeout), errDeadline)
	defer cancel()
	type pending struct{ queued, working int }
	p, err := await(ctx, func() (pending, error) {
		q, w, err := s.store.Pending(ctx)
		return pending{q, w}, err
	})
	if err != nil {
		st.StoreError = string(CodeOf(err))
	}
	st.Queued, st.Working = p.queued, p.working
	return st
}

// calls is the list of calls in flight.
type calls struct {
	mu   sync.Mutex
	open map[*call]struct{}
}

type call struct {
	id, operation string
	began         time.Time
	deadline      time.Time

	mu    sync.Mutex
	stage string
}

func (c *call) enter(stage string) {
	c.mu.Lock()
	c.stage = stage
	c.mu.Unlock()
}

func (cs *calls) begin(ctx context.Context, operation string) *call {
	c := &call{id: operationOf(ctx), operation: operation, began: time.Now(), stage: "queue"}
	c.deadline, _ = ctx.Deadline()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = map[*call]struct{}{}
	}
	cs.open[c] = struct{}{}
	return c
}

func (cs *calls) end(c *call) {
	cs.mu.Lock()
	delete(cs.open, c)
	cs.mu.Unlock()
}

func (cs *calls) list(now time.Time) []Call {
	cs.mu.Lock()
	open := make([]*call, 0, len(cs.open))
	for c := range cs.open {
		open = append(open, c)
	}
	cs.mu.Unlock()
	slices.SortFunc(open, func(a, b *call) int { return a.began.Compare(b.began) })
	list := make([]Call, len(open))
	for i, c := range open {
		c.mu.Lock()
		list[i] = Call{c.id, c.operation, c.stage, ms(now.Sub(c.began)), ms(c.deadline.Sub(now))}
		c.mu.Unlock()
	}
	return list
}
