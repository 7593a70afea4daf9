package rag

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Activity is a look at what goes on.
type Activity struct {
	InFlight     []Call  `json:"in_flight"` // oldest first, those that wait for a place among them
	MaxInFlight  int     `json:"max_in_flight"`
	Waiting      int     `json:"waiting"` // for a place
	MaxWaiting   int     `json:"max_waiting"`
	Bytes        int64   `json:"bytes"` // of memory that the calls may need
	MaxBytes     int64   `json:"max_bytes"`
	WaitMS       float64 `json:"predicted_wait_ms"` // of one call more
	Refused      int64   `json:"refused"`           // calls, since the start
	Overruns     int64   `json:"deadline_overruns"` // calls, since the start; must stay 0
	Queued       int     `json:"documents_queued"`
	Working      int     `json:"documents_in_work"`
	Model        *Model  `json:"embedder"`                      // null: lexical retrieval only
	NoProvider   bool    `json:"embedder_missing,omitempty"`    // nobody is set who has vectors of the model in use
	Wrong        string  `json:"embedder_error,omitempty"`      // why the embedder in use is not believed, as of the last comparison
	Named        *Model  `json:"embedder_configured,omitempty"` // the model of the settings, where the documents are of another
	Writes       string  `json:"writes_error,omitempty"`        // why nothing can be stored, while retrieval can be answered
	Move         *Move   `json:"move,omitempty"`                // the latest move of all documents to another model; absent when there was none since the start
	StoreError   string  `json:"store_error,omitempty"`
	DefaultMode  Mode    `json:"default_mode"`
	TimeoutMS    int64   `json:"timeout_ms"`
	ChatModel    string  `json:"chat_model"`        // that writes answers; "": there is none
	AnswerMS     int64   `json:"answer_timeout_ms"` // the longest that Ask takes
	MaxFileBytes int64   `json:"max_file_bytes"`

	// Recent is what became of the calls of the last minute, by operation.
	Recent []Recent `json:"recent"`
}

// Call is one call in flight.
type Call struct {
	OperationID string  `json:"operation_id"`
	Operation   string  `json:"operation"`
	Stage       string  `json:"stage"`
	AgeMS       float64 `json:"age_ms"`
	LeftMS      float64 `json:"left_ms"` // until its deadline
	User        User    `json:"-"`       // of its caller; "": the door did not say
}

// Status answers even while every slot is taken; it waits for nothing but the
// store, and for that not long.
func (s *Service) Status(ctx context.Context) Activity {
	l := s.Load()
	st := Activity{
		InFlight: s.calls.list(time.Now()), MaxInFlight: l.MaxInFlight, Waiting: l.Waiting, MaxWaiting: l.MaxWaiting,
		Bytes: l.Bytes, MaxBytes: l.MaxBytes, WaitMS: ms(l.PredictedWait), Refused: l.Refused, Overruns: l.Overruns, DefaultMode: s.defaultMode(),
		TimeoutMS: s.cfg.Timeout.Milliseconds(), ChatModel: s.ChatModel(), AnswerMS: s.askTimeout().Milliseconds(), MaxFileBytes: s.cfg.MaxFileBytes,
	}
	st.Move = s.moves.look()
	st.Recent = s.recent.look(time.Now())
	if m := s.embedder().Model(); m != (Model{}) {
		st.Model = &m
		st.NoProvider = !s.HasProvider()
		if v, ok := s.embedder().(*verified); ok {
			st.Wrong = v.trouble()
		}
		if named := s.cfg.Next.Model(); named != m {
			st.Named = &named
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, min(time.Second, s.cfg.Timeout), errDeadline)
	defer cancel()
	type pending struct {
		queued, working int
		writes          error
	}
	p, err := await(ctx, func() (pending, error) {
		q, w, err := s.store.Pending(ctx)
		p := pending{queued: q, working: w}
		if halves, ok := s.store.(Halves); ok && err == nil {
			p.writes = halves.Writable(ctx)
		}
		return p, err
	})
	if p.writes != nil {
		st.Writes = message(p.writes)
	}
	if err != nil {
		st.StoreError = string(CodeOf(err))
	}
	st.Queued, st.Working = p.queued, p.working
	return st
}

// calls is the list of calls in flight.
type calls struct {
	mu       sync.Mutex
	open     map[*call]struct{}
	overruns int64
}

type call struct {
	id, operation string
	user          User
	began         time.Time
	deadline      time.Time
	counted       bool // among the overruns; guarded by calls.mu

	mu    sync.Mutex
	stage string
}

func (c *call) enter(stage string) {
	c.mu.Lock()
	c.stage = stage
	c.mu.Unlock()
}

func (c *call) where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stage
}

func (cs *calls) begin(ctx context.Context, operation string) *call {
	c := &call{id: operationOf(ctx), operation: operation, began: time.Now(), stage: "queue"}
	c.deadline, _ = ctx.Deadline()
	caller, _ := CallerOf(ctx)
	c.user = caller.User
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = map[*call]struct{}{}
	}
	cs.open[c] = struct{}{}
	return c
}

// end takes c off the list and returns how late it is; 0: in time.
func (cs *calls) end(c *call, now time.Time) time.Duration {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	late := max(0, now.Sub(c.deadline))
	if late > tolerance && !c.counted {
		c.counted = true
		cs.overruns++
	}
	return late
}

// overrun counts c as late, and reports whether it is still there.
func (cs *calls) overrun(c *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if _, open := cs.open[c]; !open {
		return false
	}
	if !c.counted {
		c.counted = true
		cs.overruns++
	}
	return true
}

func (cs *calls) oldest(now time.Time) (age time.Duration, overruns int64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		age = max(age, now.Sub(c.began))
	}
	return age, cs.overruns
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
		list[i] = Call{c.id, c.operation, c.where(), ms(now.Sub(c.began)), ms(c.deadline.Sub(now)), c.user}
	}
	return list
}
