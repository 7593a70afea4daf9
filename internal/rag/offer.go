package rag

import (
	"context"
	"time"
)

// Offers is a Store on which several servers work, some of which may have an
// embedder and some none. What one without makes ready has no vectors, so it
// leaves the queue to the others while there are any.
type Offers interface {
	// OfferVectors says that for ttl there is somebody who gives documents vectors.
	OfferVectors(ctx context.Context, ttl time.Duration) error
	// VectorsOffered reports whether there is.
	VectorsOffered(ctx context.Context) (bool, error)
}

// offerer says for as long as ctx lasts that documents are given vectors here,
// while somebody is set who has those of the model in use. Where that cannot be
// said, a server without an embedder may be faster, and nothing is lost.
func (s *Service) offerer(ctx context.Context, store Offers) {
	t := time.NewTicker(s.cfg.Lease / 3)
	defer t.Stop()
	for {
		if s.HasProvider() {
			bounded, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, errDeadline)
			_, err := await(bounded, func() (struct{}, error) { return struct{}{}, store.OfferVectors(bounded, s.cfg.Lease) })
			cancel()
			if err != nil && ctx.Err() == nil {
				s.cfg.Log.DebugContext(ctx, "that documents are given vectors here could not be said", "error", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// take leases the next document, unless it is left to others.
func (s *Service) take(ctx context.Context) (*Job, error) {
	if store, ok := s.store.(Offers); ok && s.embedder().Model() == (Model{}) {
		if offered, err := store.VectorsOffered(ctx); err != nil || offered {
			return nil, err
		}
	}
	return s.store.Lease(ctx, s.cfg.Lease)
}
