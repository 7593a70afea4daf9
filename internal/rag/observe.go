package rag

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime/pprof"
	"slices"
	"sync"
	"time"
)

// Observer is told what became of calls, for metrics. It never blocks.
type Observer interface {
	CallEnded(CallEnd)
}

// CallEnd is one call that has returned.
type CallEnd struct {
	Operation string // retrieve, ask, embed, or what is done to documents: upload, documents, document, passages, delete, cancel
	Code      Code   // "" when it was answered
	Phase     string // of the error
	Mode      Mode   // what was really done; "" for embed
	Degraded  []Degraded
	Empty     EmptyReason // "" when passages were found
	Timings   Timings
	Late      time.Duration // how long after its deadline it returned; 0: in time
}

// Load is a look at how busy a Service is. It waits for nothing but mutexes
// that are never held for long.
type Load struct {
	InFlight      int           // calls that have a place
	MaxInFlight   int           //
	Waiting       int           // calls that wait for one
	MaxWaiting    int           //
	Bytes         int64         // of memory that the calls may need
	MaxBytes      int64         //
	PredictedWait time.Duration // of the next call of a user who has none
	OldestAge     time.Duration // of the oldest call
	Refused       int64         // calls refused by admission
	Overruns      int64         // calls that outlived their deadline by more than 50 ms; must stay 0
	Queued        int           // documents that wait, of all servers on the store, as Run looked them up a while ago
	Working       int           // documents in work, likewise
	Moving        bool          // this server moves the documents to another model
	Moved         Progress      // of the latest move of this server
}

// Load returns how busy s is now.
func (s *Service) Load() Load {
	a := s.admission
	a.mu.Lock()
	l := Load{
		InFlight: a.busy, MaxInFlight: a.places, Waiting: a.waiting, MaxWaiting: a.line,
		Bytes: a.held, MaxBytes: a.bytes, Refused: a.refused,
	}
	if a.busy >= a.places {
		l.PredictedWait = a.predict(&client{})
	}
	a.mu.Unlock()
	l.OldestAge, l.Overruns = s.calls.oldest(time.Now())
	l.Queued, l.Working = int(s.queued.Load()), int(s.working.Load())
	if m := s.moves.look(); m != nil {
		l.Moving, l.Moved = m.Running, m.Progress
	}
	return l
}

// pendingEvery is how often the queue is counted for Load, which waits for no
// store.
const pendingEvery = 5 * time.Second

// counter counts the queue now and then, until ctx ends. What it counted last
// stays while the store does not answer.
func (s *Service) counter(ctx context.Context) {
	tick := time.NewTicker(pendingEvery)
	defer tick.Stop()
	for {
		bounded, cancel := context.WithTimeoutCause(ctx, pendingEvery, errDeadline)
		_, _ = await(bounded, func() (struct{}, error) {
			queued, working, err := s.store.Pending(bounded)
			if err == nil {
				s.queued.Store(int64(queued))
				s.working.Store(int64(working))
			}
			return struct{}{}, err
		})
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

const (
	// tolerance is how much after its deadline a call may return: what a busy
	// machine needs to run it once more.
	tolerance = 50 * time.Millisecond
	// stuckAfter is how long after its deadline a call that is still there has
	// its stacks written.
	stuckAfter = time.Second
	// dumpEvery is the least time between two dumps, which stop all goroutines
	// for a moment.
	dumpEvery = 10 * time.Second
	// maxDump bounds what one dump writes.
	maxDump = 64 << 10
)

// observed runs f as one call, from the list of calls in flight to the word to
// the observer, and watches over its deadline.
func (s *Service) observed(ctx context.Context, operation string, f func(context.Context, *call, *CallEnd) error) error {
	c := s.calls.begin(ctx, operation)
	ctx, traced := s.span(ctx, operation, slog.String("operation_id", c.id))
	watch := time.AfterFunc(time.Until(c.deadline)+stuckAfter, func() { s.stuck(ctx, c) })
	end := CallEnd{Operation: operation, Code: Internal} // if f panics
	var err error
	defer func() {
		watch.Stop()
		end.Late = s.calls.end(c, time.Now())
		end.Timings.Total = ms(time.Since(c.began))
		s.recent.note(time.Now(), end)
		if s.cfg.Observer != nil {
			s.cfg.Observer.CallEnded(end)
		}
		traced(err, end.notes()...)
	}()
	// The label is on every goroutine that works for this call, so that its
	// stacks can be told from others'.
	pprof.Do(ctx, pprof.Labels(operationLabel, c.id), func(ctx context.Context) { err = f(ctx, c, &end) })
	end.Code = CodeOf(err)
	var e *Error
	if errors.As(err, &e) {
		end.Phase = e.Phase
	}
	return err
}

const operationLabel = "weir_operation"

// stuck writes what a call that should long have returned is doing.
func (s *Service) stuck(ctx context.Context, c *call) {
	now := time.Now()
	if !s.calls.overrun(c) {
		return
	}
	record := []any{
		slog.String("operation_id", c.id), slog.String("operation", c.operation), slog.String("stage", c.where()),
		slog.Float64("age_ms", ms(now.Sub(c.began))), slog.Float64("late_ms", ms(now.Sub(c.deadline))),
	}
	if s.dumps.due(now) {
		record = append(record, slog.String("stacks", stacks(c.id)))
	}
	s.cfg.Log.ErrorContext(ctx, "a call has outlived its deadline", record...)
}

// dumps spaces the dumps out.
type dumps struct {
	mu   sync.Mutex
	last time.Time
}

func (d *dumps) due(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.last.IsZero() && now.Sub(d.last) < dumpEvery {
		return false
	}
	d.last = now
	return true
}

// stacks are those of the goroutines that carry the label of operation, then,
// as far as there is room, the others', which may be what it waits for.
func stacks(operation string) string {
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil { // into memory: cannot be
		return err.Error()
	}
	label := []byte(`"` + operationLabel + `":"` + operation + `"`)
	var own, others [][]byte
	for _, group := range bytes.Split(all.Bytes(), []byte("\n\n")) {
		if bytes.Contains(group, label) {
			own = append(own, group)
		} else {
			others = append(others, group)
		}
	}
	text := bytes.Join(slices.Concat(own, others), []byte("\n\n"))
	if len(text) > maxDump {
		text = append(text[:maxDump:maxDump], "\n…"...)
	}
	return string(text)
}
