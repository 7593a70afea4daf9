package embed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// answer is what a caller got, and when.
type answer struct {
	got  [][]float32
	err  error
	took time.Duration
	done atomic.Bool
}

// callers start calls and wait for them.
type callers struct {
	t   *testing.T
	p   *Pipeline
	all sync.WaitGroup
}

func (cs *callers) ask(ctx context.Context, u rag.User, p rag.Purpose, texts ...string) *answer {
	a := &answer{}
	start := time.Now()
	cs.all.Go(func() {
		a.got, a.err = cs.p.Embed(ctx, u, p, texts)
		a.took = time.Since(start)
		a.done.Store(true)
		if a.err == nil {
			same(cs.t, a.got, texts)
		}
	})
	synctest.Wait()
	return a
}

func (cs *callers) query(text string) *answer {
	return cs.ask(cs.t.Context(), "u", rag.ForQuery, text)
}

func (cs *callers) within(limit time.Duration, text string) *answer {
	ctx, cancel := context.WithTimeout(cs.t.Context(), limit)
	context.AfterFunc(ctx, cancel)
	return cs.ask(ctx, "u", rag.ForQuery, text)
}

const tick = 100 * time.Millisecond

// TestRules is the pipeline's rules one by one, in virtual time.
func TestRules(t *testing.T) {
	slow := mood{after: tick}
	tests := []struct {
		name string
		cfg  Config
		mood mood
		run  func(t *testing.T, cs *callers, s *scripted)
	}{
		{"the cache answers when the provider does not", Config{CacheBytes: 1 << 20}, slow, func(t *testing.T, cs *callers, s *scripted) {
			first := cs.query("a b")
			cs.all.Wait()
			first.got[0][0] = 42
			s.set(mood{status: 500})
			if a := cs.query("a b"); a.err != nil || a.took != 0 || len(s.asked()) != 1 {
				t.Errorf("%v after %s, %d calls", a.err, a.took, len(s.asked()))
			}
			if st := cs.p.Stats(); st.CacheHits != 1 || st.CacheMisses != 1 || st.CacheEntries != 1 {
				t.Errorf("%+v", st)
			}
		}},
		{"the same text is asked for once", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			var as []*answer
			for range 20 {
				as = append(as, cs.query("a b"))
			}
			as = append(as, cs.ask(t.Context(), "v", rag.ForIngest, "a b", "a b"))
			cs.all.Wait()
			for _, a := range as {
				if a.err != nil || a.took != tick {
					t.Errorf("%v after %s", a.err, a.took)
				}
			}
			if n := len(s.asked()); n != 1 {
				t.Errorf("%d calls", n)
			}
		}},
		{"what is asked for afresh is asked for, together, and not kept", Config{CacheBytes: 1 << 20}, slow, func(t *testing.T, cs *callers, s *scripted) {
			for range 2 {
				for range 5 {
					cs.all.Go(func() {
						if none, v, err := cs.p.EmbedAfresh(t.Context(), "u", rag.ForQuery, nil, "a b"); err != nil || len(v) != dim || len(none) != 0 {
							t.Errorf("%v, %d values", err, len(v))
						}
					})
				}
				cs.query("a b") // by itself: its vector is kept
				cs.all.Wait()
			}
			if st := cs.p.Stats(); st.Texts != 3 || st.CacheHits != 1 || st.CacheEntries != 1 {
				t.Errorf("%q, %+v", s.asked(), st)
			}
		}},
		{"a witness is asked for with the texts, for them alone", Config{MaxBatch: 3, MaxConcurrent: 3, CacheBytes: 1 << 20, MaxPending: 20, UserShare: 0.15}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("c c") // kept, and of no use to who wants it afresh
			cs.query("a a") // nor to whom it comes with a witness
			cs.all.Wait()
			for _, texts := range [][]string{{"a a", "b b"}, {"d d", "c c"}, {"e e", "f f", "g g"}} {
				cs.all.Go(func() {
					got, v, err := cs.p.EmbedAfresh(t.Context(), rag.User(texts[0]), rag.ForIngest, texts, "c c")
					if err != nil {
						t.Error(err)
						return
					}
					same(t, append(got, v), append(slices.Clone(texts), "c c"))
				})
				synctest.Wait()
			}
			cs.all.Wait()
			asked := s.asked()[2:]
			slices.SortFunc(asked, slices.Compare) // the last two are asked for at the same moment
			if got := fmt.Sprint(asked); got != "[[a a b b c c] [c c] [d d c c] [e e f f g g]]" {
				t.Errorf("asked for %s", got)
			}
			if st := cs.p.Stats(); st.CacheEntries != 2 || st.CacheHits != 0 {
				t.Errorf("%+v", st)
			}
		}},
		{"texts that need many requests are kept, as their witness is not", Config{MaxBatch: 2, CacheBytes: 1 << 20}, slow, func(t *testing.T, cs *callers, s *scripted) {
			for range 2 {
				if _, _, err := cs.p.EmbedAfresh(t.Context(), "u", rag.ForIngest, []string{"a", "b", "c"}, "w"); err != nil {
					t.Error(err)
				}
			}
			if got := fmt.Sprint(s.asked()[2:]); got != "[[w]]" {
				t.Errorf("asked for %s again", got)
			}
		}},
		{"texts that come with a witness are not another's", Config{MaxBatch: 8}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.ask(t.Context(), "u", rag.ForIngest, "a a", "b b")
			synctest.Wait()
			if _, _, err := cs.p.EmbedAfresh(t.Context(), "v", rag.ForIngest, []string{"a a", "b b"}, "b b"); err != nil {
				t.Error(err)
			}
			cs.all.Wait()
			if got := fmt.Sprint(s.asked()); got != "[[a a b b] [a a b b]]" {
				t.Errorf("asked for %s", got)
			}
		}},
		{"a witness is not one text too many", Config{MaxPending: 16, MaxBatch: 8}, slow, func(t *testing.T, cs *callers, s *scripted) {
			if _, _, err := cs.p.EmbedAfresh(t.Context(), "u", rag.ForIngest, numbered(8, "passage %d"), "w"); err != nil {
				t.Error(err)
			}
		}},
		{"what is forgotten is asked for again, and what was under way is not kept", Config{CacheBytes: 1 << 20}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("a b")
			cs.all.Wait()
			under := cs.query("c d")
			synctest.Wait()
			cs.p.Forget()
			after(tick / 2)
			again := []*answer{cs.query("a b"), cs.query("c d")}
			cs.all.Wait()
			for _, a := range append(again, under) {
				if a.err != nil || a.took != tick {
					t.Errorf("%v after %s", a.err, a.took)
				}
			}
			if st := cs.p.Stats(); st.CacheHits != 0 || st.CacheEntries != 2 {
				t.Errorf("%q, %+v", s.asked(), st)
			}
		}},
		{"who leaves does not take the others along", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			ctx, cancel := context.WithCancel(t.Context())
			gone := cs.ask(ctx, "u", rag.ForQuery, "a b")
			other := cs.query("a b")
			cancel()
			cs.all.Wait()
			if rag.CodeOf(gone.err) != rag.Canceled || gone.took != 0 || other.err != nil || s.canceled != 0 {
				t.Errorf("%v, %v, %d cancelled", gone.err, other.err, s.canceled)
			}
		}},
		{"an attempt nobody waits for ends", Config{MaxConcurrent: 1}, mood{hang: true}, func(t *testing.T, cs *callers, s *scripted) {
			ctx, cancel := context.WithCancel(t.Context())
			cs.ask(ctx, "u", rag.ForQuery, "a", "b")
			half := cs.ask(ctx, "v", rag.ForQuery, "b", "c") // waits for the slot, too
			cancel()
			cs.all.Wait()
			synctest.Wait()
			if s.canceled != 1 || !half.done.Load() || len(s.asked()) != 1 {
				t.Errorf("%d cancelled of %d", s.canceled, len(s.asked()))
			}
			s.set(slow)
			if a := cs.query("a b"); a.done.Load() {
				t.Errorf("an answer at once: %v", a.err)
			}
			if st := cs.p.Stats(); st.Cooling != 1 || st.Slots != 0 || st.Queued != 1 {
				t.Errorf("the slot does not cool down: %+v", st)
			}
			cs.all.Wait()
			if n := len(s.asked()); n != 2 {
				t.Errorf("%d calls", n)
			}
		}},
		{"what waits goes together, within items and bytes", Config{MaxConcurrent: 1, MaxBatch: 4, MaxBatchBytes: 40, MaxTextBytes: 40}, slow, func(t *testing.T, cs *callers, s *scripted) {
			for i := range 6 {
				cs.query(fmt.Sprintf("t %d", i))
			}
			cs.query("a long text " + strings.Repeat("x", 20))
			cs.query("a long one " + strings.Repeat("y", 20))
			cs.all.Wait()
			var n []int
			for _, c := range s.asked() {
				n = append(n, len(c))
			}
			if !slices.Equal(n, []int{1, 4, 2, 1}) {
				t.Errorf("calls of %v", n)
			}
		}},
		{"a user who brings much does not hold up another", Config{MaxConcurrent: 1, MaxBatch: 4}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			many := cs.ask(t.Context(), "many", rag.ForQuery, numbered(40, "of many %d")...)
			one := cs.ask(t.Context(), "one", rag.ForQuery, "just one")
			cs.all.Wait()
			if one.took != 2*tick || many.took != 12*tick {
				t.Errorf("one after %s, many after %s", one.took, many.took)
			}
		}},
		{"queries go before ingest", Config{MaxConcurrent: 1, MaxBatch: 4}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			many := cs.ask(t.Context(), "u", rag.ForIngest, numbered(8, "passage %d")...)
			one := cs.query("a question")
			cs.all.Wait()
			if one.took != 2*tick || many.took != 4*tick {
				t.Errorf("query after %s, ingest after %s", one.took, many.took)
			}
		}},
		{"yet ingest is not starved", Config{MaxConcurrent: 1, MaxBatch: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.ask(t.Context(), "v", rag.ForQuery, numbered(50, "question %d")...)
			passages := cs.ask(t.Context(), "u", rag.ForIngest, "p 0", "p 1")
			cs.all.Wait()
			if passages.took < 2*time.Second || passages.took > 2*time.Second+4*tick {
				t.Errorf("after %s", passages.took)
			}
		}},
		{"ingest leaves slots for queries", Config{MaxConcurrent: 4, MaxBatch: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.ask(t.Context(), "u", rag.ForIngest, numbered(30, "passage %d")...)
			before := len(s.asked())
			if one := cs.query("q"); before != 3 || len(s.asked()) != 4 || one.done.Load() {
				t.Errorf("%d calls, then %d", before, len(s.asked()))
			}
			cs.all.Wait()
			if s.mostWay != 4 {
				t.Errorf("%d at a time", s.mostWay)
			}
		}},
		{"no room", Config{MaxConcurrent: 1, MaxBatch: 2, MaxPending: 8}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.ask(t.Context(), "u", rag.ForQuery, numbered(4, "u %d")...)
			mine := cs.query("one more")
			cs.ask(t.Context(), "v", rag.ForQuery, numbered(4, "v %d")...)
			all := cs.ask(t.Context(), "w", rag.ForQuery, "one more")
			joins := cs.ask(t.Context(), "w", rag.ForQuery, "v 3")
			vast := cs.ask(t.Context(), "w", rag.ForQuery, numbered(5, "w %d")...)
			for _, r := range []struct {
				a    *answer
				code rag.Code
			}{{mine, rag.RateLimited}, {all, rag.Overloaded}, {vast, rag.TooLarge}} {
				var e *rag.Error
				if !r.a.done.Load() || !errors.As(r.a.err, &e) || e.Code != r.code || (e.RetryAfter <= 0) != (r.code == rag.TooLarge) {
					t.Errorf("%v, want %s", r.a.err, r.code)
				}
			}
			cs.all.Wait()
			if joins.err != nil {
				t.Error(joins.err)
			}
		}},
		{"no room for the bytes of one user", Config{MaxTextBytes: 100, MaxBatchBytes: 100, MaxPendingBytes: 400}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query(strings.Repeat("a ", 50))
			cs.query(strings.Repeat("b ", 50))
			more, other := cs.query("c"), cs.ask(t.Context(), "v", rag.ForQuery, "c")
			cs.all.Wait()
			if rag.CodeOf(more.err) != rag.RateLimited || more.took != 0 || other.err != nil {
				t.Errorf("%v after %s; %v", more.err, more.took, other.err)
			}
		}},
		{"a queue that is too long for the deadline", Config{MaxConcurrent: 1, MaxBatch: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("learn how long it takes")
			cs.all.Wait()
			cs.ask(t.Context(), "u", rag.ForQuery, numbered(10, "t %d")...)
			fits := cs.within(15*tick, "in time")
			late := cs.within(5*tick, "late")
			e := typed(t, late.err)
			if late.took != 0 || e.Code != rag.Overloaded {
				t.Fatalf("%v after %s", e, late.took)
			}
			after(e.RetryAfter)
			again := cs.within(5*tick, "late")
			cs.all.Wait()
			if fits.err != nil || again.err != nil {
				t.Errorf("%v; when it was told to come back: %v", fits.err, again.err)
			}
		}},
		{"one pause for all", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			s.next = []mood{{status: 429, header: []string{"Retry-After", "2"}}}
			first := cs.query("a")
			short := cs.within(tick, "short")
			other, short2 := cs.within(9*time.Second, "b"), cs.within(tick, "c")
			if e := typed(t, short2.err); short2.took != 0 || e.RetryAfter != 2*time.Second {
				t.Errorf("%+v after %s", e, short2.took)
			}
			cs.all.Wait()
			_ = short
			if first.err != nil || other.err != nil || other.took != 2*time.Second+tick {
				t.Errorf("%v; %v after %s", first.err, other.err, other.took)
			}
			if l := cs.p.Stats().Limit; l >= 8 {
				t.Errorf("limit %d", l)
			}
		}},
		{"a poisonous text hurts nobody else", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			var mates []*answer
			for i := range 15 {
				mates = append(mates, cs.query(fmt.Sprintf("mate %d", i)))
			}
			bad := cs.query("poison")
			cs.all.Wait()
			for _, a := range mates {
				if a.err != nil {
					t.Error(a.err)
				}
			}
			if e := typed(t, bad.err); e.Code != rag.Invalid || e.Field != "texts[0]" || len(s.asked()) > 1+1+2*4 {
				t.Errorf("%v, %d calls", e, len(s.asked()))
			}
		}},
		{"nor one at which the provider fails", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			var mates, bad []*answer
			for i := range 200 {
				if i == 37 || i == 151 { // finding them takes what retries may take
					bad = append(bad, cs.query(fmt.Sprintf("sick %d", i)))
				} else {
					mates = append(mates, cs.query(fmt.Sprintf("mate %d", i)))
				}
				if i%10 == 9 {
					after(tick)
				}
			}
			cs.all.Wait()
			for _, a := range mates {
				if a.err != nil {
					t.Fatal(a.err)
				}
			}
			for _, a := range bad {
				if rag.CodeOf(a.err) != rag.Unavailable {
					t.Errorf("%v", a.err)
				}
			}
			if n := len(s.asked()); n > 201*12/10 {
				t.Errorf("%d calls", n)
			}
		}},
		{"an attempt that takes far too long is made once more beside it", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			s.next = []mood{{hang: true}}
			a := cs.query("a")
			cs.all.Wait()
			if a.err != nil || a.took != hedgeLeast+tick {
				t.Errorf("%v after %s", a.err, a.took)
			}
			after(2 * time.Second) // the first one was told to end, and its slot has cooled down
			if st := cs.p.Stats(); s.canceled != 1 || st.Hedges != 1 || st.Slots+st.Cooling != 0 || len(s.asked()) != 3 {
				t.Errorf("%d canceled, %+v", s.canceled, st)
			}
		}},
		{"and the first answer counts, whose ever it is", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			for i, second := range []mood{{status: 500}, {hang: true}, {after: 700 * time.Millisecond}, {status: 400}} {
				s.next = []mood{{after: time.Second}, second}
				a := cs.query(fmt.Sprintf("a %d", i))
				cs.all.Wait()
				if a.err != nil || a.took != time.Second {
					t.Errorf("%+v: %v after %s", second, a.err, a.took)
				}
				for j := range 10 { // what a retry costs is earned again
					cs.query(fmt.Sprintf("between %d, %d", i, j))
					cs.all.Wait()
				}
			}
			s.next = []mood{{after: 600 * time.Millisecond, status: 500}, {after: 400 * time.Millisecond}}
			a := cs.query("b")
			cs.all.Wait()
			if a.err != nil || a.took != hedgeLeast+400*time.Millisecond {
				t.Errorf("where the first failed meanwhile: %v after %s", a.err, a.took)
			}
		}},
		{"both end with their callers", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			s.set(mood{hang: true})
			a := cs.within(time.Second, "a")
			cs.all.Wait()
			after(2 * time.Second)
			if st := cs.p.Stats(); rag.CodeOf(a.err) != rag.Timeout || s.canceled != 2 || st.Slots+st.Cooling != 0 || st.Pending != 0 {
				t.Errorf("%v, %d canceled, %+v", a.err, s.canceled, st)
			}
		}},
		{"not in a slot that others want", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			s.next = []mood{{after: 2 * time.Second}}
			a := cs.query("a")
			cs.all.Wait()
			if st := cs.p.Stats(); a.err != nil || a.took != 2*time.Second || st.Hedges != 0 {
				t.Errorf("%v after %s, %+v", a.err, a.took, st)
			}
		}},
		{"how many texts a provider bears is found out to the text", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			cs.all.Wait()
			s.most = 4
			for range 3 {
				cs.query("holds the slot " + fmt.Sprint(len(s.asked())))
				for i := range 5 {
					cs.query(fmt.Sprintf("%d of %d", i, len(s.asked())))
				}
				cs.all.Wait()
			}
			if n := cs.p.MaxBatch(); n != 4 {
				t.Errorf("%d", n)
			}
			asked := len(s.asked())
			cs.query("holds the slot")
			for i := range 40 {
				cs.query(fmt.Sprintf("more %d", i))
			}
			cs.all.Wait()
			if n := len(s.asked()) - asked; n != 11 || cs.p.MaxBatch() != 4 {
				t.Errorf("%d calls for 41 texts by %d", n, cs.p.MaxBatch())
			}
		}},
		{"a stall in full flow is noticed", Config{MaxConcurrent: 4, MaxBatch: 2}, slow, func(t *testing.T, cs *callers, s *scripted) {
			flow := func(n int) (last *answer) {
				for i := range n { // attempts begin and end at all times
					last = cs.within(9*time.Second, fmt.Sprintf("%d of %d", i, len(s.asked())))
					after(tick / 8)
				}
				return last
			}
			flow(40)
			s.set(mood{hang: true})
			a := flow(8)
			cs.all.Wait()
			if e := typed(t, a.err); e.RetryAfter == 0 || a.took > 3*time.Second+2*tick || cs.p.Stats().BreakerOpens == 0 {
				t.Errorf("%v after %s; %+v", a.err, a.took, cs.p.Stats())
			}
		}},
		{"nor when its caller has left", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			ctx, cancel := context.WithCancel(t.Context())
			cs.ask(ctx, "u", rag.ForQuery, "good", "poison")
			mate := cs.query("good") // joins
			cancel()
			cs.all.Wait()
			if mate.err != nil || mate.took != 2*tick {
				t.Errorf("%v after %s", mate.err, mate.took)
			}
		}},
		{"a passage that is asked for as a query goes as one", Config{MaxConcurrent: 1, MaxBatch: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			passages := cs.ask(t.Context(), "v", rag.ForIngest, numbered(5, "p %d")...)
			one := cs.query("p 4")
			cs.all.Wait()
			if one.took != 2*tick || passages.err != nil || len(s.asked()) != 6 {
				t.Errorf("query after %s, %v, %d calls", one.took, passages.err, len(s.asked()))
			}
		}},
		{"who has too little time says nothing of the provider", Config{}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("learn how long it takes")
			cs.all.Wait()
			for i := range 30 {
				cs.within(tick/2, fmt.Sprintf("hurry %d", i))
				after(tick)
			}
			if st := cs.p.Stats(); st.Breaker != "closed" || st.Limit != 8 || st.Attempts != 31 {
				t.Errorf("%+v", st)
			}
		}},
		{"when all is refused, it is not asked twice as often", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			for i := range 50 {
				cs.query(fmt.Sprintf("poison %d", i))
			}
			cs.all.Wait()
			if n := len(s.asked()); n > 51*6/5 {
				t.Errorf("%d calls", n)
			}
		}},
		{"an ill vector is asked for again, alone", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			cs.query("first")
			mate, bad := cs.query("mate"), cs.query("ill")
			cs.all.Wait()
			last := s.asked()[len(s.asked())-1]
			if mate.err != nil || mate.took != 2*tick || rag.CodeOf(bad.err) != rag.Unavailable || len(s.asked()) != 3 || !slices.Equal(last, []string{"ill"}) {
				t.Errorf("%v after %s, %v, %v", mate.err, mate.took, bad.err, s.asked())
			}
		}},
		{"a slot is free while its batch sleeps", Config{MaxConcurrent: 1}, slow, func(t *testing.T, cs *callers, s *scripted) {
			s.next = []mood{{status: 500}}
			first, second := cs.query("a"), cs.query("b")
			cs.all.Wait()
			if first.err != nil || second.err != nil || second.took != tick || first.took <= tick {
				t.Errorf("%v after %s, %v after %s", first.err, first.took, second.err, second.took)
			}
		}},
		{"an attempt is bound to no caller's deadline", Config{}, mood{after: 10 * tick}, func(t *testing.T, cs *callers, s *scripted) {
			short, long := cs.within(tick, "a"), cs.within(20*tick, "a")
			cs.all.Wait()
			if e := typed(t, short.err); e.Code != rag.Timeout || short.took != tick || e.Phase != "queue" || long.err != nil || long.took != 10*tick {
				t.Errorf("%v after %s, %v after %s", e, short.took, long.err, long.took)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScripted(tt.mood)
			bubble(t, tt.cfg, s, func(t *testing.T, p *Pipeline) {
				cs := &callers{t: t, p: p}
				tt.run(t, cs, s)
				cs.all.Wait()
				synctest.Wait()
			})
		})
	}
}

// TestOutage is what callers see of an outage and after it: everyone is back by
// the deadline, the provider is not asked much more often than callers call,
// who needs nothing of it notices nothing, and seconds after its end all is
// well.
func TestOutage(t *testing.T) {
	tests := []struct {
		name string
		mood mood
	}{
		{"500", mood{status: 500, after: 5 * time.Millisecond}},
		{"503", mood{status: 503, after: 5 * time.Millisecond, header: []string{"Retry-After", "1"}}},
		{"429", mood{status: 429, after: 5 * time.Millisecond}},
		{"429 for ever", mood{status: 429, after: 5 * time.Millisecond, header: []string{"Retry-After", "99999999999"}}},
		{"401", mood{status: 401, after: 5 * time.Millisecond}},
		{"400", mood{status: 400, after: 5 * time.Millisecond}},
		{"413", mood{status: 413, after: 5 * time.Millisecond}},
		{"silent", mood{hang: true}},
		{"slower than anybody waits", mood{after: 20 * time.Second}},
	}
	for _, tt := range tests {
		for _, n := range []int{1, 5, 50, 500} {
			for _, limit := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
				for _, cold := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%d callers/%s/cold=%t", tt.name, n, limit, cold), func(t *testing.T) {
						s := newScripted(mood{after: 20 * time.Millisecond})
						bubble(t, Config{CacheBytes: 1 << 20}, s, func(t *testing.T, p *Pipeline) {
							o := outage{callers: callers{t: t, p: p}, s: s, n: n, limit: limit}
							if !cold {
								o.query("all is well")
								o.all.Wait()
							}
							s.set(tt.mood)
							o.lasts(!cold)
							s.set(mood{after: 20 * time.Millisecond})
							after(5 * time.Second)
							o.ended()
						})
					})
				}
			}
		}
	}
}

// outage is n callers a second, who have until limit.
type outage struct {
	callers
	s     *scripted
	n     int
	limit time.Duration
}

func (o *outage) wave(name string) []*answer {
	as := make([]*answer, 0, o.n)
	for i := range o.n {
		as = append(as, o.within(o.limit, fmt.Sprintf("%s %d", name, i)))
	}
	return as
}

// lasts makes ten waves. known: the answer to one question is known from
// before.
func (o *outage) lasts(known bool) {
	before := len(o.s.asked())
	var as []*answer
	for i := range 10 {
		as = append(as, o.wave(fmt.Sprintf("outage %d", i))...)
		if known {
			if a := o.within(o.limit, "all is well"); a.err != nil || a.took != 0 {
				o.t.Errorf("a question whose answer is known: %v after %s", a.err, a.took)
			}
		}
		after(time.Second)
	}
	o.all.Wait()
	for _, a := range as {
		var e *rag.Error
		if a.took > o.limit || !errors.As(a.err, &e) || e.Phase == "" {
			o.t.Fatalf("%v after %s", a.err, a.took)
		}
	}
	asked, calls := len(o.s.asked())-before, 10*o.n
	bound := 1.2 * float64(calls)
	if calls < 50 {
		bound = 3 * float64(calls)
	}
	if float64(asked) > bound {
		o.t.Errorf("%d attempts for %d calls", asked, calls)
	}
	if o.s.mostWay > 8 {
		o.t.Errorf("%d attempts at a time", o.s.mostWay)
	}
}

func (o *outage) ended() {
	failed := 0
	as := o.wave("after it")
	o.all.Wait()
	for _, a := range as {
		if a.err != nil {
			failed++
		}
	}
	if failed*100 > o.n {
		o.t.Errorf("%d of %d failed 5 s after the end", failed, o.n)
	}
}

// TestRecovery: callers with much time, who would hold their slots for long
// after a silence has ended, do not delay the end of it.
func TestRecovery(t *testing.T) {
	for _, lasted := range []int{1, 3, 6, 8, 10, 13} {
		t.Run(fmt.Sprint(lasted, " s"), func(t *testing.T) {
			s := newScripted(mood{after: 20 * time.Millisecond})
			bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
				cs := &callers{t: t, p: p}
				cs.query("all is well")
				cs.all.Wait()
				s.set(mood{hang: true})
				for sec := range lasted + 10 {
					if sec == lasted {
						s.set(mood{after: 20 * time.Millisecond})
					}
					var as []*answer
					for i := range 50 {
						as = append(as, cs.within(9*time.Second, fmt.Sprint(sec, " ", i)))
					}
					after(time.Second)
					for _, a := range as {
						if sec >= lasted+5 && (!a.done.Load() || a.err != nil) {
							t.Fatalf("%d s after the end: %v", sec-lasted, a.err)
						}
					}
				}
				cs.all.Wait()
			})
		})
	}
}

// TestOverload: ten times as many calls as the provider can bear, for a while.
// What it can bear is answered, the rest is refused at once, nobody is late.
func TestOverload(t *testing.T) {
	const (
		limit = time.Second
		every = time.Millisecond // 1,000 calls a second; the provider bears 100
		span  = 20 * time.Second
	)
	s := newScripted(mood{after: 80 * time.Millisecond})
	bubble(t, Config{MaxBatch: 1}, s, func(t *testing.T, p *Pipeline) {
		var mu sync.Mutex
		var good, refused, late, most int
		var all sync.WaitGroup
		for i := range int(span / every) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				_, err := p.Embed(ctx, rag.User(fmt.Sprint(i%7)), rag.ForQuery, []string{fmt.Sprint("text ", i)})
				took := time.Since(start)
				mu.Lock()
				defer mu.Unlock()
				switch code := rag.CodeOf(err); {
				case took > limit:
					late++
				case err == nil:
					good++
				case code == rag.Overloaded && took == 0:
					refused++
				}
			})
			after(every)
			most = max(most, p.Stats().Pending)
		}
		all.Wait()
		n := int(span / every)
		if late > 0 || good < 90*int(span/time.Second) || refused < n*8/10 || most > 150 {
			t.Errorf("of %d calls %d were answered, %d refused at once, %d late; up to %d waited", n, good, refused, late, most)
		}
		t.Logf("of %d calls %d were answered, %d refused at once, %d late; up to %d waited", n, good, refused, late, most)
		if a, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"after it"}); err != nil {
			t.Error(a, err)
		}
	})
}

// TestBreaker is when it opens and what that does.
func TestBreaker(t *testing.T) {
	t.Run("silent slots", func(t *testing.T) {
		s := newScripted(mood{hang: true})
		bubble(t, Config{MaxConcurrent: 4}, s, func(t *testing.T, p *Pipeline) {
			cs := &callers{t: t, p: p}
			for i := range 6 {
				cs.within(20*time.Second, fmt.Sprintf("t %d", i))
			}
			after(6*time.Second + time.Millisecond)
			synctest.Wait()
			if st := p.Stats(); st.Breaker != "open" || st.Queued != 0 || st.Slots != 1 || !st.Warming { // one goes on: see warm.go
				t.Errorf("%+v", st)
			}
			a := cs.within(20*time.Second, "now")
			if e := typed(t, a.err); a.took != 0 || e.Code != rag.Unavailable || e.RetryAfter <= 0 || !errors.Is(e, errOpen) {
				t.Errorf("%v after %s", a.err, a.took)
			}
			cs.all.Wait()
		})
	})
	t.Run("one probe", func(t *testing.T) {
		s := newScripted(mood{status: 500})
		bubble(t, Config{MaxAttempts: 1}, s, func(t *testing.T, p *Pipeline) {
			cs := &callers{t: t, p: p}
			for i := range 20 {
				cs.query(fmt.Sprintf("t %d", i))
			}
			if n := len(s.asked()); n != breakerLeast || p.Stats().Breaker != "open" {
				t.Fatalf("%d calls, %+v", n, p.Stats())
			}
			after(2 * time.Second)
			s.set(mood{after: tick})
			var as []*answer
			for i := range 5 {
				as = append(as, cs.query(fmt.Sprintf("u %d", i)))
			}
			if n := len(s.asked()); n != breakerLeast+1 || p.Stats().Breaker != "half-open" {
				t.Fatalf("%d calls, %+v", n, p.Stats())
			}
			cs.all.Wait()
			for _, a := range as {
				if a.err != nil {
					t.Error(a.err)
				}
			}
			if p.Stats().Breaker != "closed" {
				t.Errorf("%+v", p.Stats())
			}
		})
	})
}
