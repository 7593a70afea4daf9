package rag

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	maxReadAttempts = 50               // leases of a document that was never read to its end: reading it may be what ends the process
	maxFaults       = 5                // attempts at a document whose reading meets an internal fault
	maxFollowed     = 4                // changes of the model in use under one attempt
	maxBackoff      = time.Minute      // between attempts at one document
	absentBackoff   = 10 * time.Second // the same where nobody is set who has the model's vectors: another server may have somebody
	maxRetryAfter   = 5 * time.Minute  // that is waited before an attempt, whatever the provider asks for
	pollInterval    = time.Second      // for documents queued by another server, or due again
	errorInterval   = time.Minute      // between lines of the log about a queue that cannot be read, as on a database that takes no writes
	partingTime     = 2 * time.Second  // to give a document back when the work stops
	extractPhase    = "extract"
)

var errDocumentTime = errors.New("the document's time limit has passed")

// Run works on queued documents, IngestWorkers at a time, and on what
// StartReembed asks for, until ctx ends; it returns when every worker has given
// its document back. It shares no slot with retrieval.
func (s *Service) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range s.cfg.IngestWorkers {
		workers.Go(func() { s.worker(ctx) })
	}
	workers.Go(func() { s.mover(ctx) })
	if store, ok := s.store.(Offers); ok {
		workers.Go(func() { s.offerer(ctx, store) })
	}
	workers.Go(func() { s.counter(ctx) })
	workers.Go(func() { s.checker(ctx) })
	if _, ok := s.store.(Reembedder); ok {
		workers.Go(func() { s.follower(ctx) })
	}
	workers.Wait()
}

func (s *Service) worker(ctx context.Context) {
	var told time.Time
	for ctx.Err() == nil {
		job, err := s.take(ctx)
		if err != nil && ctx.Err() == nil && time.Since(told) > errorInterval {
			told = time.Now()
			s.cfg.Log.ErrorContext(ctx, "taking a document from the queue failed", "error", err)
		}
		if job == nil || err != nil {
			s.rest(ctx)
			continue
		}
		s.knock() // where one was, another may be
		s.work(ctx, *job)
	}
}

// knock wakes one resting worker.
func (s *Service) knock() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) rest(ctx context.Context) {
	t := time.NewTimer(pollInterval)
	defer t.Stop()
	select {
	case <-s.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// work takes one document as far as it goes and settles it: published,
// failed, given back, or dropped because the lease was lost.
func (s *Service) work(ctx context.Context, job Job) {
	log := s.cfg.Log.With("document", job.Document.ID, "attempt", job.Attempt)
	working, cancel := context.WithTimeoutCause(ctx, s.cfg.DocumentTimeout, errDocumentTime)
	working, lose := context.WithCancelCause(working)
	defer cancel()
	defer lose(nil)

	began := time.Now()
	sign := newSign(s, job)
	var beat sync.WaitGroup
	beat.Go(func() { sign.beat(working, lose) })
	within, traced := s.span(working, "ingest", slog.String("document", job.Document.ID), slog.Int("attempt", job.Attempt))
	err := s.process(within, job, sign)
	traced(err)
	cause := context.Cause(working)
	lose(nil)
	beat.Wait() // so that no sign of life follows the settling

	if errors.Is(err, ErrLeaseLost) || errors.Is(cause, ErrLeaseLost) {
		log.InfoContext(ctx, "document left: canceled, deleted, or leased elsewhere")
		s.changes.tell(job.Document.ID)
		return
	}
	settling, done := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer done()
	var settled error
	switch {
	case err == nil:
		log.InfoContext(ctx, "document ready", "took", time.Since(began))
	case ctx.Err() != nil:
		settled = s.store.Retry(settling, job, time.Now(), "")
	case errors.Is(cause, errDocumentTime):
		settled = s.fail(settling, job, Errorf(Timeout, "%s took longer than %v", job.Document.Filename, s.cfg.DocumentTimeout))
	case permanent(err), CodeOf(err) == Internal && !sign.read() && job.Attempt >= maxFaults:
		log.WarnContext(ctx, "document failed", forLog(err)...)
		settled = s.fail(settling, job, err)
	default:
		wait := backoff(job.Attempt, err)
		if errors.Is(err, ErrNoProvider) {
			wait = min(wait, absentBackoff)
		}
		log.WarnContext(ctx, "document waits for another attempt", append(forLog(err), "wait", wait)...)
		settled = s.store.Retry(settling, job, time.Now().Add(wait), message(err))
	}
	if settled != nil && !errors.Is(settled, ErrLeaseLost) {
		// The lease runs out by itself and the document is taken up again.
		log.ErrorContext(ctx, "document could not be settled", "error", settled)
	}
	s.changes.tell(job.Document.ID)
}

// process reads, embeds and publishes.
func (s *Service) process(ctx context.Context, job Job, sign *sign) error {
	if !job.Staged {
		if job.Attempt > maxReadAttempts {
			return Errorf(Invalid, "%s: reading it was begun %d times and never ended", job.Document.Filename, job.Attempt-1)
		}
		reading, end := s.span(ctx, "parsing")
		err := s.read(reading, job, sign)
		end(err)
		if err != nil {
			return err
		}
	}
	sign.markRead()
	for try := 1; ; try++ {
		embedder := s.embedder()
		model := embedder.Model()
		if model != (Model{}) {
			if err := s.embedAll(ctx, job, embedder, sign); err != nil {
				return err
			}
		}
		publishing, end := s.span(ctx, "publish")
		err := s.store.Publish(publishing, job, model)
		end(err)
		if CodeOf(err) != Conflict || try == maxFollowed {
			return err
		}
		// The documents may be of another model since.
		if s.look(ctx) != nil || s.embedder().Model() == model {
			return err
		}
	}
}

func (s *Service) read(ctx context.Context, job Job, sign *sign) error {
	sign.set(Parsing, Progress{})
	content, err := s.store.Content(ctx, job)
	if err != nil {
		return err
	}
	x, err := await(ctx, func() (Extracted, error) {
		return s.extract.Extract(ctx, job.Document.Filename, content, func(p Progress) { sign.set(Parsing, p) })
	})
	if CodeOf(err) == Timeout && ctx.Err() == nil {
		return &Error{Code: Timeout, Phase: extractPhase, Msg: message(err), Err: err} // its own limit: the next attempt would meet it too
	}
	if err != nil {
		return err
	}
	if len(x.Chunks) == 0 {
		return Errorf(Invalid, "%s has no text in it", job.Document.Filename)
	}
	return s.store.Stage(ctx, job, x)
}

// embedAll gives each staged chunk its vector. What is stored is never sent
// again, whatever happens in between.
func (s *Service) embedAll(ctx context.Context, job Job, embedder Embedder, sign *sign) error {
	model := embedder.Model()
	total := 0
	for {
		chunks, left, err := s.store.Unembedded(ctx, job, model, embedder.MaxBatch())
		if err != nil {
			return err
		}
		if total == 0 {
			total = max(left, job.Document.Chunks)
		}
		sign.set(Embedding, Progress{Done: total - left, Total: total})
		if len(chunks) == 0 {
			return nil
		}
		indexes, texts := make([]int, len(chunks)), make([]string, len(chunks))
		for i, c := range chunks {
			indexes[i], texts[i] = c.Index, embeddedText(c)
		}
		batch, end := s.span(ctx, "embedding", slog.Int("texts", len(texts)))
		vectors, err := await(batch, func() ([][]float32, error) {
			return embedder.Embed(batch, job.User, ForIngest, texts)
		})
		end(err)
		if err != nil {
			return err
		}
		if len(vectors) != len(texts) {
			return Errorf(Internal, "the embedder answered %d vectors for %d texts", len(vectors), len(texts))
		}
		if err := s.store.PutVectors(ctx, job, model, indexes, vectors); err != nil {
			return err
		}
	}
}

// embeddedText is what stands for a chunk in vector space: a passage under
// its headings says more than the passage alone.
func embeddedText(c Chunk) string {
	if c.SectionTitle == "" {
		return c.Content
	}
	return c.SectionTitle + "\n" + c.Content
}

func (s *Service) fail(ctx context.Context, job Job, err error) error {
	return s.store.Fail(ctx, job, DocumentError{Code: CodeOf(err), Message: message(err)})
}

// permanent tells errors that another attempt will not mend.
func permanent(err error) bool {
	switch CodeOf(err) {
	case Invalid, TooLarge, UnsupportedMedia:
		return true
	case Timeout:
		var e *Error
		return errors.As(err, &e) && e.Phase == extractPhase
	case Unauthorized, Forbidden, NotFound, Conflict, RateLimited, Overloaded, Unavailable, Canceled, Internal:
	}
	return false
}

// forLog is err without what its owner alone should read: the message to them
// names their file. The cause of a fault that is not theirs is written whole.
func forLog(err error) []any {
	attrs := []any{"code", CodeOf(err)}
	if !permanent(err) {
		attrs = append(attrs, "error", err)
	}
	return attrs
}

// message is what the document's owner is told of err.
func message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return "an internal error; the server's log has the details"
}

// backoff is the wait before attempt+1: exponential with full jitter above a
// half, beyond what the error asks for. An absurd wish is not granted: one more
// attempt costs the provider less than a parked document its owner.
func backoff(attempt int, err error) time.Duration {
	d := min(maxBackoff, time.Second<<min(max(attempt-1, 0), 10))
	d = d/2 + rand.N(d/2+1)
	var e *Error
	if errors.As(err, &e) {
		d += min(e.RetryAfter, maxRetryAfter)
	}
	return d
}
