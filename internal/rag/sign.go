package rag

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// sign is the sign of life of one document in work: it renews the lease and
// makes status and progress known.
type sign struct {
	s   *Service
	job Job

	mu       sync.Mutex
	status   Status
	progress Progress
	wasRead  bool
	moved    chan struct{}
}

func newSign(s *Service, job Job) *sign {
	sg := &sign{s: s, job: job, status: Parsing, moved: make(chan struct{}, 1), wasRead: job.Staged}
	if job.Staged {
		sg.status = Embedding
	}
	return sg
}

func (sg *sign) set(st Status, p Progress) {
	sg.mu.Lock()
	sg.status, sg.progress = st, p
	sg.mu.Unlock()
	select {
	case sg.moved <- struct{}{}:
	default:
	}
}

func (sg *sign) markRead() { sg.mu.Lock(); sg.wasRead = true; sg.mu.Unlock() }

func (sg *sign) read() bool { sg.mu.Lock(); defer sg.mu.Unlock(); return sg.wasRead }

// beat renews at each third of the lease, and when something moved, yet not
// more than four times a second. It calls lose when the lease is gone, or
// could not be renewed for its whole length.
func (sg *sign) beat(ctx context.Context, lose context.CancelCauseFunc) {
	ttl := sg.s.cfg.Lease
	renewed := time.Now()
	pause := time.NewTimer(ttl / 3)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-sg.moved:
		}
		err := sg.renew(ctx, ttl)
		switch {
		case err == nil:
			renewed = time.Now()
			sg.s.changes.tell(sg.job.Document.ID)
		case errors.Is(err, ErrLeaseLost):
			lose(ErrLeaseLost)
			return
		case ctx.Err() == nil:
			sg.s.cfg.Log.WarnContext(ctx, "renewing a lease failed", "document", sg.job.Document.ID, "error", err)
			if time.Since(renewed) > ttl {
				lose(fmt.Errorf("%w: not renewed for %v", ErrLeaseLost, ttl))
				return
			}
		}
		breath := time.NewTimer(250 * time.Millisecond)
		select {
		case <-ctx.Done():
			breath.Stop()
			return
		case <-breath.C:
		}
		pause.Reset(ttl / 3)
	}
}

func (sg *sign) renew(ctx context.Context, ttl time.Duration) error {
	sg.mu.Lock()
	st, p := sg.status, sg.progress
	sg.mu.Unlock()
	return sg.s.store.Renew(ctx, sg.job, ttl, st, p)
}
