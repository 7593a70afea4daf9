package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// writer is a chat model that writes by script.
type writer func(ctx context.Context, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error)

func (writer) Name() string { return "maker/writer-1" }

func (w writer) Chat(ctx context.Context, _ rag.User, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
	return w(ctx, r, emit)
}

// writing writes the pieces and ends well.
func writing(pieces ...string) writer {
	return func(_ context.Context, _ rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
		for _, p := range pieces {
			if err := emit(p); err != nil {
				return rag.ChatEnd{}, err
			}
		}
		return rag.ChatEnd{FinishReason: "stop", PromptTokens: 9, CompletionTokens: 3}, nil
	}
}

// breaking writes the pieces and fails.
func breaking(pieces ...string) writer {
	return func(ctx context.Context, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
		_, err := writing(pieces...)(ctx, r, emit)
		return rag.ChatEnd{}, errors.Join(err, &rag.Error{Code: rag.Unavailable, Phase: "token", Msg: "the provider went away", RetryAfter: 2 * time.Second})
	}
}

// study is a shelf with one document about insulin, of the user default.
func study() *shelf {
	s := &shelf{}
	s.put(defaultUser, "plan.pdf", "insulin costs 35 dollars", rag.Ready)
	s.put("other", "secret.pdf", "insulin is a secret", rag.Ready)
	return s
}

func answering(t testing.TB, cfg Config, chat rag.ChatModel) http.Handler {
	t.Helper()
	return newDoor(cfg, newService(t, rag.Config{Chat: chat}, study()))
}

func postJSON(t testing.TB, h http.Handler, path, body string, headers ...string) *response {
	t.Helper()
	return ask(t, h, request(t, http.MethodPost, path, strings.NewReader(body), append([]string{"Content-Type", contentJSON}, headers...)...))
}

// sent is one server-sent event.
type sent struct{ name, data string }

// eventsOf reads a stream; heartbeats are left out.
func eventsOf(t testing.TB, body string) (events []sent) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		var e sent
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
			default:
				t.Errorf("a line %q", line)
			}
		}
		if e.data != "" {
			events = append(events, e)
		}
	}
	return events
}

func namesOf(events []sent) string {
	var names []string
	for _, e := range events {
		names = append(names, e.name)
	}
	return strings.Join(names, " ")
}

func textOf(t testing.TB, events []sent) (text string) {
	t.Helper()
	for _, e := range events {
		if e.name == eventText {
			var piece textEvent
			if err := json.Unmarshal([]byte(e.data), &piece); err != nil {
				t.Fatal(err)
			}
			text += piece.Text
		}
	}
	return text
}

func TestAskIsStreamed(t *testing.T) {
	got := postJSON(t, answering(t, Config{}, writing("It costs 35 [", "1] [2].")), "/v1/ask", `{"query":"insulin"}`)
	events := eventsOf(t, string(got.body))
	if got.status != 200 || got.header.Get("Content-Type") != "text/event-stream" || got.header.Get("X-Operation-Id") == "" {
		t.Fatalf("%d %q", got.status, got.header)
	}
	names := namesOf(events)
	if !strings.HasPrefix(names, "passages text") || !strings.HasSuffix(names, "text done") || textOf(t, events) != "It costs 35 [1]." {
		t.Errorf("events %q, text %q", names, textOf(t, events))
	}
	var found rag.Response
	var a rag.Answer
	if err := errors.Join(json.Unmarshal([]byte(events[0].data), &found), json.Unmarshal([]byte(events[len(events)-1].data), &a)); err != nil {
		t.Fatal(err)
	}
	if len(found.Chunks) != 1 || found.Chunks[0].Filename != "plan.pdf" || found.OperationID != got.header.Get("X-Operation-Id") {
		t.Errorf("passages %s", events[0].data)
	}
	if a.Text != "It costs 35 [1]." || !a.Answered || len(a.Citations) != 1 || a.Dropped != 1 || a.Usage.Total != 12 || a.OperationID != found.OperationID {
		t.Errorf("answer %+v", a)
	}
	if strings.Contains(string(got.body), "secret") {
		t.Error("another user's document is in the answer")
	}
}

func TestAskWhole(t *testing.T) {
	got := postJSON(t, answering(t, Config{}, writing("It costs 35 [1].")), "/v1/ask", `{"query":"insulin","stream":false,"max_chunks":3}`)
	a := decode[rag.Answer](t, got)
	if got.status != 200 || a.Text != "It costs 35 [1]." || a.Model != "maker/writer-1" || len(a.Passages) != 1 || a.Finish != "stop" {
		t.Errorf("%d %s", got.status, got.body)
	}
	a = decode[rag.Answer](t, postJSON(t, answering(t, Config{}, breaking("It costs")), "/v1/ask", `{"query":"insulin","stream":false}`))
	if a.Answered || !strings.HasPrefix(a.Text, "No answer was written") || a.Degraded[0].Reason != "unavailable" || a.Degraded[0].RetryAfterMS != 2000 {
		t.Errorf("of a provider that went away: %+v", a)
	}
	a = decode[rag.Answer](t, postJSON(t, answering(t, Config{}, nil), "/v1/ask", `{"query":"nowhere","stream":false}`))
	if *a.EmptyReason != rag.NoMatch || a.Citations == nil || a.Passages == nil {
		t.Errorf("of nothing: %+v", a)
	}
}

func TestAskRefusals(t *testing.T) {
	h := answering(t, Config{}, writing("x"))
	tests := []struct {
		name, body, field string
		status            int
	}{
		{"no question", `{}`, "query", 400},
		{"a vector", `{"query":"x","embedding":[1]}`, "embedding", 400},
		{"a user", `{"query":"x","user_id":"other"}`, "user_id", 400},
		{"stream is no flag", `{"query":"x","stream":"yes"}`, "stream", 400},
		{"twice", `{"query":"x","query":"y"}`, "query", 400},
		{"no chunks", `{"query":"x","max_chunks":0}`, "max_chunks", 400},
		{"a budget that no memory holds", `{"query":"x","token_budget":99999999999}`, "token_budget", 400},
		{"no JSON", `x`, "", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := postJSON(t, h, "/v1/ask", tt.body)
			if p := got.problem(t); p.Status != tt.status || p.Field != tt.field {
				t.Errorf("%s", got.body)
			}
		})
	}
	if got := ask(t, h, request(t, http.MethodGet, "/v1/ask", nil)); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %q", got.status, got.header)
	}
}

// begin posts to h in a synctest bubble, as a reader who may leave.
func begin(t *testing.T, h http.Handler, w http.ResponseWriter, path, body string) (ended chan any, leave context.CancelFunc) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	ended = make(chan any, 1)
	r := request(t, http.MethodPost, path, strings.NewReader(body), "Content-Type", contentJSON).WithContext(ctx)
	go func() {
		defer func() { ended <- recover() }()
		h.ServeHTTP(w, r)
	}()
	return ended, leave
}

// slow writes a piece, waits for next, and so on; it ends when next is closed.
func slow(next <-chan string) writer {
	return func(ctx context.Context, _ rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
		for {
			select {
			case piece, more := <-next:
				if !more {
					return rag.ChatEnd{FinishReason: "stop"}, nil
				}
				if err := emit(piece); err != nil {
					return rag.ChatEnd{}, err
				}
			case <-ctx.Done():
				return rag.ChatEnd{}, ctx.Err()
			}
		}
	}
}

func TestAnAnswerThatBreaksOffEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTape()
		ended, leave := begin(t, answering(t, Config{}, breaking("It costs 35 [1]. And then ")), w, "/v1/ask", `{"query":"insulin"}`)
		defer leave()
		if v := <-ended; v != nil {
			t.Errorf("the connection was broken off (%v), though the stream says how it ended", v)
		}
		events := eventsOf(t, w.text())
		if namesOf(events) != "passages text error" || textOf(t, events) != "It costs 35 [1]. And then" {
			t.Fatalf("stream:\n%s", w.text())
		}
		var p Problem
		if err := json.Unmarshal([]byte(events[2].data), &p); err != nil || p.Code != rag.Unavailable || p.Phase != "token" || p.RetryAfterMS != 2000 || !strings.Contains(p.Detail, "not whole") {
			t.Errorf("problem %+v, %v", p, err)
		}
	})
}

func TestAnAnswerThatStallsEndsByItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan string)
		w := newTape()
		began := time.Now()
		ended, leave := begin(t, answering(t, Config{}, slow(next)), w, "/v1/ask", `{"query":"insulin","timeout_ms":40000}`)
		defer leave()
		next <- "It costs "
		<-ended
		if took := time.Since(began); took > 40*time.Second || w.names() != "passages text : : error" {
			t.Errorf("after %v: %s", took, w.text())
		}
	})
}

// TestAReaderWhoLeavesEndsTheAnswer: nobody writes for nobody.
func TestAReaderWhoLeavesEndsTheAnswer(t *testing.T) {
	for _, path := range []string{"/v1/ask", "/v1/chat/completions"} {
		body := `{"query":"insulin"}`
		if path != "/v1/ask" {
			body = `{"stream":true,"messages":[{"role":"user","content":"insulin"}]}`
		}
		for name, leaves := range map[string]func(*tape, context.CancelFunc){
			"says so":        func(_ *tape, leave context.CancelFunc) { leave() },
			"takes no more":  func(w *tape, _ context.CancelFunc) { w.mu.Lock(); w.broken = true; w.mu.Unlock() },
			"leaves at once": func(w *tape, leave context.CancelFunc) { leave(); w.mu.Lock(); w.broken = true; w.mu.Unlock() },
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					next, gone := make(chan string), make(chan struct{})
					chat := writer(func(ctx context.Context, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
						defer close(gone)
						return slow(next)(ctx, r, emit)
					})
					w := newTape()
					h := answering(t, Config{}, chat)
					ended, leave := begin(t, h, w, path, body)
					defer leave()
					next <- "It costs 35 [1]. "
					synctest.Wait()
					leaves(w, leave)
					began := time.Now()
					select {
					case next <- "More. ":
					case <-gone:
					}
					<-gone
					<-ended
					if time.Since(began) > 0 {
						t.Errorf("the model wrote on for %v", time.Since(began))
					}
					st := decode[Status](t, ask(t, h, request(t, http.MethodGet, "/v1/status", nil)))
					if st.Answers.Now != 0 || st.Bodies.Now != 0 || len(st.InFlight) != 0 {
						t.Errorf("left behind: %+v", st)
					}
				})
			})
		}
	}
}

// stuck is a connection whose reader takes nothing until it is let go.
type stuck struct {
	*tape
	once chan struct{} // a value lets the first writes through
	let  chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	select {
	case <-s.once:
	case <-s.let:
	}
	return s.tape.Write(b)
}

// TestASlowReaderHoldsNothingUp: the model is done, and its place free, though
// nobody takes the text.
func TestASlowReaderHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		chat := writer(func(ctx context.Context, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
			defer close(done)
			return writing(slices.Repeat([]string{"It costs 35 [1]. "}, 100)...)(ctx, r, emit)
		})
		w := &stuck{newTape(), make(chan struct{}), make(chan struct{})}
		ended, leave := begin(t, answering(t, Config{}, chat), w, "/v1/ask", `{"query":"insulin"}`)
		defer leave()
		w.once <- struct{}{} // the passages
		<-done
		close(w.let)
		<-ended
		events := eventsOf(t, w.text())
		if n := len(events); n > 6 || namesOf(events[n-1:]) != "done" {
			t.Errorf("%d events: %s", n, namesOf(events))
		}
		if text := textOf(t, events); len(text) != 1699 {
			t.Errorf("%d bytes of text", len(text))
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan string)
		h := answering(t, Config{MaxAnswers: 4}, slow(next))
		var all []chan any
		for range 2 {
			ended, leave := begin(t, h, newTape(), "/v1/ask", `{"query":"insulin"}`)
			defer leave()
			all = append(all, ended)
		}
		synctest.Wait()
		got := postJSON(t, h, "/v1/ask", `{"query":"insulin"}`)
		if p := got.problem(t); p.Code != rag.RateLimited || got.header.Get("Retry-After") == "" {
			t.Errorf("the third of one user: %s", got.body)
		}
		if got := postJSON(t, h, "/v1/ask", `{"query":"nothing"}`, userHeader, "other"); got.status != 200 {
			t.Errorf("another user: %d %s", got.status, got.body)
		}
		st := decode[Status](t, ask(t, h, request(t, http.MethodGet, "/v1/status", nil)))
		if st.Answers != (Lane{2, 4}) || st.InFlight[0].Operation != "ask" || st.InFlight[0].Stage != "answer" {
			t.Errorf("status %+v", st)
		}
		close(next)
		for _, ended := range all {
			<-ended
		}
	})
}

func TestClientAsks(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{Chat: writing("It costs 35 [1].")})
	h.shelf.put("me", "plan.pdf", "insulin costs 35 dollars", rag.Ready)
	c := h.client(t)
	r := rag.AskRequest{Request: rag.Request{Query: "insulin"}}
	var text string
	var found *rag.Response
	a, err := c.Ask(t.Context(), "me", r, func(e rag.AskEvent) error {
		if e.Passages != nil {
			found = e.Passages
		}
		text += e.Text
		return nil
	})
	if err != nil || a.Text != "It costs 35 [1]." || text != a.Text || len(found.Chunks) != 1 || a.Citations[0].Filename != "plan.pdf" {
		t.Errorf("%v, %+v, text %q", err, a, text)
	}
	if whole, err := c.Ask(t.Context(), "me", r, nil); err != nil || whole.Text != a.Text {
		t.Errorf("%v, %+v", err, whole)
	}
	enough := errors.New("enough")
	if _, err := c.Ask(t.Context(), "me", r, func(rag.AskEvent) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	if _, err := c.Ask(t.Context(), "me", rag.AskRequest{}, func(rag.AskEvent) error { return nil }); rag.CodeOf(err) != rag.Invalid {
		t.Errorf("%v", err)
	}
}

func TestClientIsToldOfAnAnswerThatBrokeOff(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{Chat: breaking("It costs ")})
	h.shelf.put("me", "plan.pdf", "insulin costs 35 dollars", rag.Ready)
	var text string
	a, err := h.client(t).Ask(t.Context(), "me", rag.AskRequest{Request: rag.Request{Query: "insulin"}}, func(e rag.AskEvent) error {
		text += e.Text
		return nil
	})
	if a != nil || rag.CodeOf(err) != rag.Unavailable || text != "It costs" {
		t.Errorf("%+v, %v, %q", a, err, text)
	}
}
