package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

func failing(status int, header ...string) script {
	return script{status: status, kind: "application/json", header: header, acts: says(`{"error":{"message":"told to fail"}}`)}
}

// TestRetries: what is tried again, and what is not.
func TestRetries(t *testing.T) {
	rst := errors.New("connection reset")
	tests := []struct {
		name  string
		first script
		calls int // of the provider
		code  rag.Code
		after time.Duration // RetryAfter of the error
	}{
		{name: "500", first: failing(500), calls: 2},
		{name: "503, soon", first: failing(503, "Retry-After", "1"), calls: 2},
		{name: "429, in milliseconds", first: failing(429, "Retry-After-Ms", "300"), calls: 2},
		{name: "429, much later", first: failing(429, "Retry-After", "30"), calls: 1, code: rag.Unavailable, after: 30 * time.Second},
		{name: "429, in a thousand years", first: failing(429, "Retry-After", "99999999999"), calls: 1, code: rag.Unavailable, after: 24 * time.Hour},
		{name: "429, by date", first: failing(429, "Retry-After", "Fri, 02 Jan 2026 09:00:30 GMT", "Date", "Fri, 02 Jan 2026 09:00:00 GMT"), calls: 1, code: rag.Unavailable, after: 30 * time.Second},
		{name: "429, garbage", first: failing(429, "Retry-After", "soon"), calls: 2},
		{name: "429, unpaid", first: script{status: 429, kind: "application/json", acts: says(`{"error":{"message":"no","code":"insufficient_quota"}}`)}, calls: 1, code: rag.Unavailable},
		{name: "400", first: failing(400), calls: 1, code: rag.Invalid},
		{name: "401", first: failing(401), calls: 1, code: rag.Unavailable},
		{name: "404", first: failing(404), calls: 1, code: rag.Unavailable},
		{name: "the connection breaks", first: script{fails: rst}, calls: 2},
		{name: "it breaks before the first word", first: script{acts: []act{{say: empty}, {err: rst}}}, calls: 2},
		{name: "it breaks after the first word", first: script{acts: []act{{say: delta("a")}, {err: rst}}}, calls: 1, code: rag.Unavailable},
		{name: "only white space came", first: script{acts: []act{{say: tokens}, {err: rst}}}, calls: 2},
		{name: "nothing", first: script{acts: says(finish("stop"), done)}, calls: 2},
		{name: "no JSON", first: script{acts: says("data: {]\n\n")}, calls: 2},
		{name: "an error inside", first: script{acts: says("data: {\"error\":\"no\"}\n\n")}, calls: 2},
		{name: "no first word in time", first: script{hang: true}, calls: 1, code: rag.Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scripted{always: well(), next: []script{tt.first}}
			bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
				h := chat(t.Context(), p, "u")
				if len(s.calls) != tt.calls || rag.CodeOf(h.err) != tt.code {
					t.Errorf("%d calls, %v; want %d, %q", len(s.calls), h.err, tt.calls, tt.code)
				}
				if tt.code == "" {
					if h.text != "Hello world" {
						t.Errorf("%q", h.text)
					}
				} else if e := typed(t, h.err); e.RetryAfter != tt.after {
					t.Errorf("after %s, want %s", e.RetryAfter, tt.after)
				}
				if h.took > 20*time.Second {
					t.Errorf("it took %s", h.took)
				}
			})
		})
	}
}

// TestRetriesFitTheDeadline: none is made that cannot be answered in time.
func TestRetriesFitTheDeadline(t *testing.T) {
	s := &scripted{always: failing(503, "Retry-After", "3")}
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		h := chat(ctx, p, "u")
		if e := typed(t, h.err); len(s.calls) != 1 || h.took != 0 || e.RetryAfter != 3*time.Second {
			t.Errorf("%d calls, after %s, %v", len(s.calls), h.took, e)
		}
	})
}

// TestOutage: it costs the provider no more than 1.2 requests per call, callers
// are told at once, and it is over for them seconds after it is over.
func TestOutage(t *testing.T) {
	for name, is := range map[string]script{
		"500": failing(500), "hangs": {hang: true}, "stalls": {acts: append(says(delta("a")), act{hang: true})}, "deaf for a while": {fails: errors.New("x"), wait: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{always: well()}
			bubble(t, Config{FirstToken: 5 * time.Second, TokenGap: 2 * time.Second}, s, func(t *testing.T, p *Pipeline) {
				chat(t.Context(), p, "u")
				s.mu.Lock()
				s.always, s.calls = is, nil
				s.mu.Unlock()
				var all sync.WaitGroup
				var mu sync.Mutex
				atOnce := 0
				ask := func(n int) {
					for i := range n {
						all.Go(func() {
							h := chat(t.Context(), p, rag.User(fmt.Sprint(i%7)))
							mu.Lock()
							defer mu.Unlock()
							if h.took == 0 && h.err != nil {
								atOnce++
								if e := typed(t, h.err); e.Phase == "queue" && e.RetryAfter == 0 {
									t.Errorf("it is not said when to come back: %v", e)
								}
							}
							if h.took > 10*time.Second+time.Millisecond { // for a place, then for a first word
								t.Errorf("a call took %s", h.took)
							}
						})
						after(100 * time.Millisecond)
					}
				}
				ask(300)
				s.mu.Lock()
				asked := len(s.calls)
				s.always = well()
				s.mu.Unlock()
				if float64(asked) > 1.2*300 {
					t.Errorf("%d requests for 300 calls", asked)
				}
				mu.Lock()
				told := atOnce
				mu.Unlock()
				if p.Stats().Breaker == "closed" || told < 150 {
					t.Errorf("the breaker is %s, and %d of %d calls were told at once", p.Stats().Breaker, told, 300)
				}
				ask(100) // 10 s
				all.Wait()
				if h := chat(t.Context(), p, "u"); h.err != nil || p.Stats().Breaker != "closed" {
					t.Errorf("10 s later: %v, %s", h.err, p.Stats().Breaker)
				}
			})
		})
	}
}

// TestRetriesAreFew: of a provider that fails every third request, too few to
// leave it alone, no more than 1.2 requests are asked per call.
func TestRetriesAreFew(t *testing.T) {
	s := &scripted{always: well()}
	for range 300 {
		s.next = append(s.next, failing(500), well(), well())
	}
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		for range 300 {
			chat(t.Context(), p, "u")
		}
		if st := p.Stats(); len(s.calls) > 360 || st.Retries < 30 || st.Breaker != "closed" {
			t.Errorf("%d requests for 300 calls: %+v", len(s.calls), st)
		}
	})
}

// TestProbes: of an open breaker one call finds out, and when that one hangs
// another does, seconds later.
func TestProbes(t *testing.T) {
	s := &scripted{always: failing(500)}
	cfg := Config{MaxAttempts: 1, OpenFor: 2 * time.Second, ProbePatience: 3 * time.Second}
	bubble(t, cfg, s, func(t *testing.T, p *Pipeline) {
		for range breakerLeast {
			chat(t.Context(), p, "u")
		}
		h := chat(t.Context(), p, "u")
		if e := typed(t, h.err); len(s.calls) != breakerLeast || e.RetryAfter != 2*time.Second {
			t.Fatalf("%d calls, %v", len(s.calls), e)
		}
		after(2 * time.Second)
		s.always = script{hang: true}
		first, cancel := context.WithCancel(t.Context())
		ended := make(chan heard, 2)
		go func() { ended <- chat(first, p, "u") }()
		synctest.Wait()
		if e := typed(t, chat(t.Context(), p, "u").err); e.RetryAfter != 3*time.Second || len(s.calls) != breakerLeast+1 {
			t.Fatalf("%d calls, %v", len(s.calls), e)
		}
		after(time.Second)
		cancel() // it was not heard out, and says nothing: the next one may ask
		<-ended
		go func() { ended <- chat(t.Context(), p, "u") }()
		synctest.Wait()
		after(3 * time.Second)
		s.always = well()
		if h := chat(t.Context(), p, "v"); h.err != nil { // beside the probe that hangs
			t.Error(h.err)
		}
		if p.Stats().Breaker != "closed" {
			t.Errorf("%+v", p.Stats())
		}
		<-ended
	})
}

// TestPause: what the provider asks for holds for all, within bounds.
func TestPause(t *testing.T) {
	s := &scripted{always: well(), next: []script{failing(429, "Retry-After", "10")}}
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		chat(t.Context(), p, "u")
		if e := typed(t, chat(t.Context(), p, "v").err); e.RetryAfter != 10*time.Second || len(s.calls) != 1 {
			t.Errorf("%v, %d calls", e, len(s.calls))
		}
		after(8 * time.Second)
		if h := chat(t.Context(), p, "v"); h.err != nil || h.took != 2*time.Second { // soon enough to be waited for
			t.Errorf("%v after %s", h.err, h.took)
		}
		s.next = []script{failing(429, "Retry-After", "3600")}
		chat(t.Context(), p, "u")
		if h := chat(t.Context(), p, "v"); h.err != nil || h.took != 4*time.Second { // nobody is left alone for an hour
			t.Errorf("%v after %s", h.err, h.took)
		}
	})
}

// TestPlaces: there are never more answers at a time than places, users take
// turns, and nobody has more than a share.
func TestPlaces(t *testing.T) {
	s := &scripted{always: script{acts: append([]act{{wait: time.Second}}, says(delta("a"), finish("stop"), done)...)}}
	bubble(t, Config{MaxConcurrent: 4, MaxWaiting: 100, FirstToken: 20 * time.Second}, s, func(t *testing.T, p *Pipeline) {
		type told struct {
			user rag.User
			h    heard
		}
		ended := make(chan told, 100)
		ask := func(u rag.User) {
			go func() { ended <- told{u, chat(t.Context(), p, u)} }()
			synctest.Wait()
		}
		for range 20 {
			ask("greedy")
		}
		if st := p.Stats(); st.Writing != 2 || st.Waiting != 18 {
			t.Errorf("%+v", st)
		}
		ask("a")
		ask("b")
		ask("c")
		took := map[rag.User][]time.Duration{}
		for range 23 {
			e := <-ended
			if e.h.err != nil {
				t.Fatal(e.user, e.h.err)
			}
			took[e.user] = append(took[e.user], e.h.took)
		}
		if took["a"][0] != time.Second || took["b"][0] != time.Second || took["c"][0] != 2*time.Second || slices.Max(took["greedy"]) > 11*time.Second {
			t.Errorf("%v", took)
		}
		if s.most != 4 {
			t.Errorf("%d at a time", s.most)
		}
	})
}

// TestLimitFollowsTheProvider: there are fewer places while it says that it is
// asked too often, and all of them again later.
func TestLimitFollowsTheProvider(t *testing.T) {
	s := &scripted{always: failing(429)}
	bubble(t, Config{MaxConcurrent: 8, UserShare: 1, MaxAttempts: 1}, s, func(t *testing.T, p *Pipeline) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { chat(t.Context(), p, "u") })
		}
		all.Wait()
		if st := p.Stats(); st.Limit != 5 { // together they count once
			t.Errorf("%+v", st)
		}
		for range 20 {
			chat(t.Context(), p, "u")
			after(time.Millisecond)
		}
		if st := p.Stats(); st.Limit != 1 || st.Breaker != "closed" {
			t.Errorf("%+v", st)
		}
		s.always = well()
		for range 40 {
			chat(t.Context(), p, "u")
		}
		if st := p.Stats(); st.Limit != 8 {
			t.Errorf("%+v", st)
		}
	})
}

// TestOverload: what there is no room or no time for is told at once, with an
// honest time to come back.
func TestOverload(t *testing.T) {
	s := &scripted{always: script{acts: append([]act{{wait: 2 * time.Second}}, says(delta("a"), finish("stop"), done)...)}}
	cfg := Config{MaxConcurrent: 1, MaxWaiting: 3, UserShare: 0.67, FirstToken: 9 * time.Second}
	bubble(t, cfg, s, func(t *testing.T, p *Pipeline) {
		if h := chat(t.Context(), p, "first"); h.err != nil { // 2 s is what is usual
			t.Fatal(h.err)
		}
		ended := make(chan heard, 10)
		for range 3 {
			go func() { ended <- chat(t.Context(), p, "u") }()
			synctest.Wait()
		}
		refused := func(ctx context.Context, u rag.User, code rag.Code) {
			t.Helper()
			h := chat(ctx, p, u)
			if e := typed(t, h.err); e.Code != code || e.RetryAfter <= 0 || h.took != 0 || e.Phase != "queue" {
				t.Errorf("%v after %s, want %s", e, h.took, code)
			}
		}
		refused(t.Context(), "u", rag.RateLimited)
		short, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		refused(short, "v", rag.Overloaded)
		go func() { ended <- chat(t.Context(), p, "w") }()
		synctest.Wait()
		refused(t.Context(), "v", rag.Overloaded)
		for range 4 {
			if h := <-ended; h.err != nil {
				t.Error(h.err)
			}
		}
		if st := p.Stats(); st.Refused != 3 || st.Calls != 8 {
			t.Errorf("%+v", st)
		}
	})
}

// TestWaitingIsBounded: who waits for a place leaves at its deadline, or when
// none came free in the time of a first word.
func TestWaitingIsBounded(t *testing.T) {
	s := &scripted{always: script{deaf: true}}
	bubble(t, Config{MaxConcurrent: 1, FirstToken: 5 * time.Second}, s, func(t *testing.T, p *Pipeline) {
		chat(t.Context(), p, "u")
		h := chat(t.Context(), p, "v")
		if e := typed(t, h.err); e.Code != rag.Overloaded || h.took != 5*time.Second {
			t.Errorf("%v after %s", e, h.took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		h = chat(ctx, p, "v")
		if e := typed(t, h.err); e.Code != rag.Timeout || e.Phase != "queue" || h.took != 2*time.Second {
			t.Errorf("%v after %s", e, h.took)
		}
	})
}

// TestOptions: what a provider does not bear is left out, once for all.
func TestOptions(t *testing.T) {
	zero := 0.0
	ask := question()
	ask.MaxTokens, ask.Temperature = 7, &zero
	blames := func(param string) script {
		return script{status: 400, kind: "application/json", acts: says(fmt.Sprintf(`{"error":{"message":"no","param":%q}}`, param))}
	}
	tells := func(msg string) script {
		return script{status: 422, kind: "application/json", acts: says(fmt.Sprintf(`{"detail":%q}`, msg))}
	}
	tests := []struct {
		name string
		next []script
		want string // usage, max_tokens, max_completion_tokens, temperature of the last request
	}{
		{"all", nil, "true 7 false true"},
		{"no stream_options", []script{blames("stream_options")}, "false 7 false true"},
		{"no stream_options, in words", []script{tells("stream_options: extra fields not permitted")}, "false 7 false true"},
		{"a newer model", []script{blames("max_tokens"), blames("temperature")}, "true 7 true false"},
		{"none", []script{blames("temperature"), blames("stream_options.include_usage"), blames("max_tokens")}, "false 7 true false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scripted{always: well(), next: tt.next}
			bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
				for range 2 {
					if _, err := p.Chat(t.Context(), "u", ask, func(string) error { return nil }); err != nil {
						t.Fatal(err)
					}
					r := s.calls[len(s.calls)-1]
					if got := fmt.Sprint(r.IncludeUsage, r.MaxTokens, strings.Contains(s.raw, "max_completion_tokens"), r.Temperature != nil); got != tt.want {
						t.Errorf("%s, want %s", got, tt.want)
					}
				}
				if len(s.calls) != len(tt.next)+2 {
					t.Errorf("%d calls", len(s.calls))
				}
			})
		})
	}
}

// TestInvalid: what cannot be asked costs nothing.
func TestInvalid(t *testing.T) {
	s := &scripted{always: well()}
	user := func(text string) []rag.ChatMessage { return []rag.ChatMessage{{Role: "user", Content: text}} }
	bubble(t, Config{MaxRequestBytes: 10}, s, func(t *testing.T, p *Pipeline) {
		for name, r := range map[string]rag.ChatRequest{
			"none": {}, "blank": {Messages: user(" \n")}, "not UTF-8": {Messages: user("\xff")}, "long": {Messages: user(strings.Repeat("x", 11))},
			"tokens": {Messages: user("x"), MaxTokens: -1}, "role": {Messages: []rag.ChatMessage{{Role: "tool", Content: "x"}}},
		} {
			_, err := p.Chat(t.Context(), "u", r, func(string) error { return nil })
			if e := typed(t, err); e.Code != rag.Invalid || e.Phase != "validate" {
				t.Errorf("%s: %v", name, e)
			}
		}
		if len(s.calls) != 0 {
			t.Errorf("%d calls", len(s.calls))
		}
	})
}

// witness keeps what it is told.
type witness struct {
	mu       sync.Mutex
	attempts []AttemptEnd
	ends     []End
}

func (w *witness) ChatAttemptEnded(e AttemptEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts = append(w.attempts, e)
}

func (w *witness) ChatEnded(e End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, e)
}

func TestObserver(t *testing.T) {
	w := &witness{}
	slow := script{wait: time.Second, acts: slices.Concat(says(delta("a")), []act{{wait: time.Second, say: delta("b")}}, says(finish("stop"), done))}
	s := &scripted{always: slow, next: []script{failing(400)}}
	bubble(t, Config{Observer: w}, s, func(t *testing.T, p *Pipeline) {
		chat(t.Context(), p, "u")
		chat(t.Context(), p, "u")
		enough := errors.New("enough")
		_, _ = p.Chat(t.Context(), "u", question(), func(string) error { return enough })
	})
	wantAttempts := []AttemptEnd{
		{Try: 1, Code: rag.Invalid, Phase: "headers"},
		{Try: 1, FirstToken: time.Second, Took: 2 * time.Second},
		{Try: 1, FirstToken: time.Second, Took: time.Second, Code: rag.Canceled, Phase: "token"},
	}
	wantEnds := []End{
		{Attempts: 1, Code: rag.Invalid, Phase: "headers"},
		{Attempts: 1, FirstToken: time.Second, Took: 2 * time.Second, FinishReason: "stop"},
		{Attempts: 1, FirstToken: time.Second, Took: time.Second, Code: rag.Canceled, Phase: "token"},
	}
	if !slices.Equal(w.attempts, wantAttempts) || !slices.Equal(w.ends, wantEnds) {
		t.Errorf("%+v\n%+v", w.attempts, w.ends)
	}
}

func TestConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string // "": it is well
	}{
		{"defaults", Config{Model: "m"}, ""},
		{"a short whole", Config{Model: "m", Timeout: time.Second}, ""},
		{"no model", Config{}, "Model must be given"},
		{"no address", Config{Model: "m", BaseURL: "x"}, "must begin with http"},
		{"a password in it", Config{Model: "m", BaseURL: "http://u:p@h"}, "must not hold a user"},
		{"a key of nonsense", Config{Model: "m", APIKey: "a b"}, "the API key holds"},
		{"parts over the whole", Config{Model: "m", Timeout: time.Second, FirstToken: 2 * time.Second}, "must fit Timeout"},
		{"negative", Config{Model: "m", TokenGap: -1}, "TokenGap must not be negative"},
		{"share", Config{Model: "m", UserShare: 2}, "UserShare"},
		{"backoff", Config{Model: "m", Backoff: time.Minute}, "must not be over MaxBackoff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(tt.cfg)
			if err == nil {
				defer p.Close(t.Context())
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	if (None{}).Name() != "" {
		t.Error("none has a name")
	}
	if _, err := (None{}).Chat(t.Context(), "u", question(), nil); rag.CodeOf(err) != rag.Unavailable {
		t.Error(err)
	}
}
