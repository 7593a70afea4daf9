package identity

import (
	"context"
	"sync"
	"time"

	"weir/internal/rag"
)

// clockLook is the longest that an end which is still to come is trusted to a
// timer: clocks are set, and machines sleep.
const clockLook = time.Minute

// holds are the calls that last, such as streams of events. They do not ask whether
// their key is still good: they are told. One costs an entry here, and a timer if its
// key or token runs out.
type holds struct {
	judge func(rag.Caller) (until time.Time, end error) // until: when to judge again; zero: when told
	now   func() time.Time

	mu    sync.Mutex
	calls map[*hold]struct{}
}

type hold struct {
	caller rag.Caller
	end    context.CancelCauseFunc
	timer  *time.Timer // nil: what it was let in by does not run out
}

// Hold ends the ctx it returns when c would no longer be let in as it was: its key
// was revoked, expired, was taken out of the file, or may less than before; its token
// expired. The cause is then Unauthorized. Run must be running for a change of the file to be
// seen. leave must be called once the call is over.
func (g *Gate) Hold(ctx context.Context, c rag.Caller) (held context.Context, leave func()) {
	held, end := context.WithCancelCause(ctx)
	if c.Kind != rag.CallerKey && c.Kind != rag.CallerToken { // the owner's secret is good for as long as the process
		return held, func() { end(nil) }
	}
	h := &hold{caller: c, end: end}
	g.holds.enter(h)
	return held, func() { g.holds.leave(h); end(nil) }
}

func (s *holds) enter(h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[h] = struct{}{}
	s.look(h) // it may have been revoked since it was let in
}

func (s *holds) leave(h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, h)
	if h.timer != nil {
		h.timer.Stop()
	}
}

// lookAtAll is for when keys have changed.
func (s *holds) lookAtAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.calls {
		s.look(h)
	}
}

// look ends a call whose time has come. s.mu is held.
func (s *holds) look(h *hold) {
	until, why := s.judge(h.caller)
	if why != nil {
		h.end(&rag.Error{Code: rag.Unauthorized, Field: "Authorization", Msg: why.Error() + " since this call began", Err: why})
		return
	}
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	if until.IsZero() {
		return
	}
	h.timer = time.AfterFunc(min(until.Sub(s.now()), clockLook), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, here := s.calls[h]; here {
			s.look(h)
		}
	})
}

// judge says why c would not be let in now as it was, or until when it would at most.
func (g *Gate) judge(c rag.Caller) (until time.Time, end error) {
	now := g.cfg.now()
	if c.Kind == rag.CallerToken {
		if !now.Before(c.Expires) {
			return time.Time{}, tokenExpired
		}
		return c.Expires, nil
	}
	k, known := g.ring.find(c.KeyID)
	state := k.State(now)
	switch {
	case !known:
		return time.Time{}, keyGone
	case state == "revoked":
		return time.Time{}, keyRevoked
	case state == "expired":
		return time.Time{}, keyExpired
	case c.Rights&^k.Rights() != 0 || !k.Service && k.User != c.User || k.Service && c.User != "" && !k.serves(c.User):
		return time.Time{}, keyChanged
	case k.Expires != nil:
		return *k.Expires, nil
	}
	return time.Time{}, nil
}
