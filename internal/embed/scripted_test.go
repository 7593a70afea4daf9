package embed

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/openai"
)

// mood is how a scripted provider answers.
type mood struct {
	after  time.Duration // before anything
	status int           // other than 0: an error of that status
	header []string
	hang   bool // until its ctx ends
	deaf   bool // until released, whatever its ctx says
}

// scripted is a provider that is a function of its mood and of the texts: a
// text with "poison" in it makes it refuse the batch, one with "sick" makes it
// fail, one with "ill" gets a vector of zeros.
type scripted struct {
	mu       sync.Mutex
	mood     mood
	next     []mood // for the next calls, before mood
	most     int    // texts it takes at a time; 0: any number
	calls    [][]string
	at       []time.Time
	under    int // way
	mostWay  int
	canceled int
	release  chan struct{}
}

func newScripted(m mood) *scripted { return &scripted{mood: m, release: make(chan struct{})} }

func (s *scripted) set(m mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

func (s *scripted) asked() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]string(nil), s.calls...)
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	req, err := openai.DecodeEmbeddingsRequest(raw, openai.Limits{Items: 4096, Values: dim})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	m := s.mood
	if len(s.next) > 0 {
		m, s.next = s.next[0], s.next[1:]
	}
	s.calls, s.at = append(s.calls, req.Input), append(s.at, time.Now())
	release := s.release
	s.under++
	s.mostWay = max(s.mostWay, s.under)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.under--
		if r.Context().Err() != nil {
			s.canceled++
		}
		s.mu.Unlock()
	}()
	if m.deaf {
		<-release
		return nil, errors.New("at last")
	}
	var pass <-chan time.Time
	if !m.hang {
		timer := time.NewTimer(m.after)
		defer timer.Stop()
		pass = timer.C
	}
	select {
	case <-pass:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if m.status != 0 {
		return response(m.status, "", m.header...), nil
	}
	if s.most > 0 && len(req.Input) > s.most {
		return response(413, `{"error":{"message":"too many"}}`), nil
	}
	for _, text := range req.Input {
		if strings.Contains(text, "sick") {
			return response(500, `{"error":{"message":"oops"}}`), nil
		}
		if strings.Contains(text, "poison") {
			return response(400, `{"error":{"message":"no","param":"input"}}`), nil
		}
	}
	return rightBut(r, func(text string) bool { return strings.Contains(text, "ill") })
}

// after waits in virtual time.
func after(d time.Duration) { <-time.NewTimer(d).C }

// sound checks what holds of a pipeline at any moment.
func sound(p *Pipeline) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	check := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	check(p.slots.busy == len(p.flying), "slots and attempts under way differ")
	check(p.slots.used(time.Now()) <= p.cfg.MaxConcurrent, "more slots than there are")
	check(len(p.table.byKey) <= p.cfg.MaxPending, "more texts than there may be")
	placed := map[*flight]bool{}
	for _, f := range p.queue.all() {
		check(!placed[f], "a text waits twice")
		placed[f] = true
	}
	lines := 0
	for i := range p.queue.lanes {
		l := &p.queue.lanes[i]
		n, bytes := 0, 0
		for _, of := range l.users {
			check(of.flights.Len() > 0, "an empty line")
			for e := of.flights.Front(); e != nil; e = e.Next() {
				n++
				bytes += len(e.Value.(*flight).text) //nolint:errcheck // it is one
			}
		}
		lines += n
		check(n == l.items && bytes == l.bytes && l.turns.Len() == len(l.users), "a lane miscounts")
		for _, b := range l.ready {
			check(b.live > 0 && b.stage == ready && b.live == len(b.wanted()), "a batch nobody wants waits")
		}
	}
	for _, b := range p.asleep {
		check(b.live > 0 && b.stage == sleeping && b.live == len(b.wanted()), "a batch nobody wants sleeps")
		for _, f := range b.wanted() {
			check(!placed[f], "a text sleeps and waits")
			placed[f] = true
		}
	}
	for b := range p.flying {
		check(b.stage == flying && b.live == len(b.wanted()), "a batch under way miscounts")
		for _, f := range b.wanted() {
			check(!placed[f], "a text is under way twice")
			placed[f] = true
		}
	}
	bytes := 0
	for k, f := range p.table.byKey {
		bytes += len(f.text)
		check(f.key == k && !f.over && len(f.members) > 0, "the table holds what nobody wants")
		check(placed[f] || p.closed, "a text is lost")
	}
	check(bytes == p.table.bytes, "the table miscounts")
	check(len(placed) == len(p.table.byKey), "a text on its way is not in the table")
	return errors.Join(errs...)
}

// empty checks that nothing is left when nobody waits.
func empty(p *Pipeline) error {
	if err := sound(p); err != nil {
		return err
	}
	if s := p.Stats(); s.Pending+s.Queued+s.QueuedIngest+s.Retrying+s.Users+s.PendingBytes != 0 {
		return errors.New("something is left of calls that have ended")
	}
	return nil
}

// bubble runs f in virtual time with a pipeline on s.
func bubble(t *testing.T, cfg Config, s *scripted, f func(t *testing.T, p *Pipeline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.release = make(chan struct{})
		p := timed(t, cfg, s)
		f(t, p)
		close(s.release)
		synctest.Wait()
		if err := empty(p); err != nil {
			t.Error(err)
		}
	})
}
