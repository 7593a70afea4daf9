package rag

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MoveLease is the right to move the documents.
type MoveLease struct {
	From  Model // of the documents' vectors when it began; zero: none had any
	To    Model
	Token string // that fences off earlier holders
}

// ErrMoveLost is returned where the lease on the move is another's by now, or
// nobody's.
var ErrMoveLost = errors.New("the lease on the move is lost")

// MoveUnderWay is the error of a move that would be the second one.
func MoveUnderWay(to Model, since time.Time) error {
	return Errorf(Conflict, "the documents are being moved to %s (%d values) already, since %s; ask again when that has ended "+
		"(where the server that does it was killed, within a minute)", to.Name, to.Dim, since.UTC().Format(time.RFC3339))
}

// moveAll does a move whose lease was taken, and gives the lease back.
func (s *Service) moveAll(ctx context.Context, store Reembedder, next Embedder, m Move, lease MoveLease, report func(Move)) error {
	defer s.endMove(ctx, store, lease)
	if !s.reembedding.TryLock() { // of one that has lost its lease
		return Errorf(Conflict, "an earlier move by this server has not ended yet; ask again")
	}
	defer s.reembedding.Unlock()
	moving, lose := context.WithCancelCause(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { s.renewMove(moving, store, lease, lose) })
	if sampler, ok := s.store.(Sampler); ok {
		// What was made before it was broken off must have come from the same.
		next = &verified{Embedder: next, sampler: sampler, log: s.cfg.Log}
	}
	err := (&move{s: s, store: store, next: next, lease: lease, now: m, report: report}).run(moving)
	if err != nil && errors.Is(context.Cause(moving), ErrMoveLost) {
		err = ErrMoveLost
	}
	lose(nil)
	beat.Wait()
	if errors.Is(err, ErrMoveLost) {
		return &Error{Code: Conflict, Err: err, Msg: fmt.Sprintf("this server gave no sign of life for %v, and another one has taken the move over; what was made is kept", s.cfg.Lease)}
	}
	return err
}

// endMove gives the lease back, whether ctx has ended or not.
func (s *Service) endMove(ctx context.Context, store Reembedder, lease MoveLease) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if err := store.EndMove(bounded, lease); err != nil {
		s.cfg.Log.WarnContext(ctx, "the lease on a move could not be given back; it runs out by itself", "error", err)
	}
}

// renewMove gives a sign of life at each third of the lease. A store that does
// not answer is no loss: the lease is whose it was until another takes it.
func (s *Service) renewMove(ctx context.Context, store Reembedder, lease MoveLease, lose context.CancelCauseFunc) {
	t := time.NewTicker(s.cfg.Lease / 3)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(ctx, s.cfg.Lease/3)
		err := store.RenewMove(bounded, lease, s.cfg.Lease)
		cancel()
		switch {
		case errors.Is(err, ErrMoveLost):
			lose(ErrMoveLost)
			return
		case err != nil && ctx.Err() == nil:
			s.cfg.Log.WarnContext(ctx, "renewing the lease on a move failed", "error", err)
		}
	}
}
