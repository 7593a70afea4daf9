package chat_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/chat"
	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// patience is what a busy machine may be late. Virtual time is strict instead.
const patience = 10 * time.Second

// table is every fault that a call of the chat model can meet.
func table() []chaos.Entry {
	var out []chaos.Entry
	for _, e := range slices.Concat(chaos.Faults(), chaos.ChatFaults()) {
		if e.Met != chaos.ByEmbeddings {
			out = append(out, e.ForChat())
		}
	}
	return out
}

func question(n int) []rag.ChatMessage {
	return []rag.ChatMessage{
		{Role: "system", Content: "Answer from the passages."},
		{Role: "user", Content: fmt.Sprintf("<passage-x number=\"1\" file=\"a\">\nThe river rose by %d feet.\n</passage-x>\n<passage-x number=\"2\" file=\"b\">\nThe weir held.\n</passage-x>\n\nQuestion: %d?", n, n)},
	}
}

// right is what the provider answers to that.
func right(ms []rag.ChatMessage) string {
	out := make([]openai.ChatMessage, len(ms))
	for i, m := range ms {
		out[i] = openai.ChatMessage(m)
	}
	return chaos.Reply(out)
}

// meeting is a pipeline at a provider.
type meeting struct {
	*chaos.Provider
	p *chat.Pipeline
}

func meet(t *testing.T, row chaos.Entry) meeting {
	t.Helper()
	source, err := chaos.Start(t.Context(), chaos.Config{Wire: row.Wires[0], Drip: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	cfg := chat.Config{
		BaseURL: source.URL(), Model: "m", APIKey: "sk-test-0123456789abcdef", MaxConcurrent: 8, UserShare: 1,
		FirstToken: 800 * time.Millisecond, TokenGap: 400 * time.Millisecond, Timeout: 3 * time.Second, OpenFor: 200 * time.Millisecond,
	}
	cfg.RootCAs = source.RootCAs()
	if row.Named {
		cfg.BaseURL, cfg.Resolver = source.NamedURL(), source.Resolver()
	}
	p, err := chat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(context.Background()), source.Close()); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Writing+s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
	return meeting{source, p}
}

// answer is what a caller got.
type answer struct {
	n    int
	text string
	end  rag.ChatEnd
	err  error
	late time.Duration
}

func (m meeting) ask(t *testing.T, n int, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	a := answer{n: n}
	var b strings.Builder
	began := time.Now()
	a.end, a.err = m.p.Chat(ctx, rag.User(fmt.Sprint("user ", n%5)), rag.ChatRequest{Messages: question(n)}, func(piece string) error {
		b.WriteString(piece)
		return nil
	})
	a.text, a.late = b.String(), time.Since(began)-limit
	return a
}

// TestMatrix is every fault on real sockets: each caller is back by its deadline
// with the answer or with a clear error, and the provider is used again seconds
// after it is well.
func TestMatrix(t *testing.T) {
	var rows sync.WaitGroup
	var mu sync.Mutex
	at := make(chan struct{}, 8)
	worst, calls, requests := time.Duration(0), 0, 0
	for _, row := range table() {
		if testing.Short() && row.Met != chaos.ByChat {
			continue
		}
		at <- struct{}{}
		rows.Go(func() {
			defer func() { <-at }()
			t.Run(string(row.Fault), func(t *testing.T) {
				m := meet(t, row)
				m.recovers(t) // all is well
				if err := m.Set(t.Context(), row.Fault); err != nil {
					if errors.Is(err, chaos.ErrSystem) {
						t.Skip(err)
					}
					t.Fatal(err)
				}
				before := m.Stats().Calls
				var all sync.WaitGroup
				saw, slowest := map[string]int{}, time.Duration(0)
				for i := range 20 {
					all.Go(func() {
						a := m.ask(t, i+1, 1500*time.Millisecond)
						judge(t, row, a)
						mu.Lock()
						defer mu.Unlock()
						worst, slowest = max(worst, a.late), max(slowest, a.late+1500*time.Millisecond)
						saw[string(cmp.Or(rag.CodeOf(a.err), "answered"))]++
						calls++
						if a.late > patience {
							t.Errorf("%s late", a.late)
						}
					})
				}
				all.Wait()
				mu.Lock()
				requests += m.Stats().Calls - before
				t.Logf("| `%s`: %s | %v | %.2f s | %d |", row.Fault, row.Does, saw, slowest.Seconds(), m.Stats().Calls-before)
				mu.Unlock()
				if asked := m.Stats().Calls - before; row.Expect == chaos.Failure && asked > 20+2*8 { // those under way when it begins, and each of them again; virtual time is strict
					t.Errorf("%d requests for 20 calls", asked)
				}
				if err := m.Heal(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.recovers(t)
			})
		})
	}
	rows.Wait()
	t.Logf("%d faults, %d calls, %d requests; the latest caller was %s after its deadline", len(table()), calls, requests, worst)
}

// judge checks what one caller got.
func judge(t *testing.T, row chaos.Entry, a answer) {
	t.Helper()
	if a.err == nil {
		want := right(question(a.n))
		switch row.Fault {
		case chaos.ChatLength:
			if a.end.FinishReason != "length" || !strings.HasPrefix(want, a.text) {
				t.Errorf("%q, %+v", a.text, a.end)
			}
			return
		case chaos.ChatOtherCitations:
			want += " [98] [99] [0]"
		case chaos.ChatSplitRune:
			want = "é" + want
		case chaos.ChatBadUTF8:
			want = "\ufffd" + want
		default:
		}
		if row.Expect == chaos.Failure || a.text != want || a.end.FinishReason != "stop" {
			t.Errorf("%q, %+v; want %q", a.text, a.end, want)
		}
		return
	}
	code := rag.CodeOf(a.err)
	// A dark connection costs two seconds. Being late, and what follows of it in
	// the line, may be this machine's. So may be whose kept connection comes to a
	// request that was given back: one that another caller has put back just then is
	// no better, and when many meet one, not all of them may try a third time.
	var e *rag.Error
	machine := racing || code == rag.Timeout || code == rag.Overloaded || (errors.As(a.err, &e) && e.Phase == "queue") || errors.Is(a.err, provider.ErrReplayed)
	if row.Expect == chaos.Answer && len(row.Codes) == 0 && row.Fault != chaos.HTTP2Dark && !machine {
		t.Errorf("it is to be answered in any case: %v", a.err)
	}
	may := []rag.Code{rag.Timeout, rag.Unavailable, rag.Overloaded}
	for _, o := range row.Codes {
		may = append(may, rag.Code(o))
	}
	if !slices.Contains(may, code) || strings.Contains(a.err.Error(), "sk-test") || strings.Contains(a.err.Error(), "river") {
		t.Errorf("%v", a.err)
	}
}

// recovers wants an answer within seconds.
func (m meeting) recovers(t *testing.T) {
	t.Helper()
	for began := time.Now(); ; {
		a := m.ask(t, rand.IntN(100), 2*time.Second)
		if a.err == nil && a.text == right(question(a.n)) {
			return
		}
		if time.Since(began) > 5*time.Second+patience {
			t.Fatalf("not well again: %q, %v", a.text, a.err)
		}
		var e *rag.Error
		if errors.As(a.err, &e) && e.RetryAfter > 0 {
			ctx, cancel := context.WithTimeout(t.Context(), min(e.RetryAfter, time.Second))
			<-ctx.Done()
			cancel()
		}
	}
}

// TestLeavingClosesTheConnection: the provider sees that its caller has left.
func TestLeavingClosesTheConnection(t *testing.T) {
	for _, wire := range []chaos.Wire{chaos.Plain, chaos.HTTP2} {
		t.Run(wire.String(), func(t *testing.T) {
			row, _ := chaos.Lookup(chaos.ChatStallBetween)
			row.Wires = []chaos.Wire{wire}
			m := meet(t, row)
			if err := m.Set(t.Context(), row.Fault); err != nil {
				t.Fatal(err)
			}
			ctx, leave := context.WithCancel(t.Context())
			_, err := m.p.Chat(ctx, "u", rag.ChatRequest{Messages: question(1)}, func(string) error {
				leave()
				return nil
			})
			if rag.CodeOf(err) != rag.Canceled {
				t.Error(err)
			}
			seen, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := m.Await(seen, func(s chaos.Stats) bool { return s.InFlight == 0 }); err != nil {
				t.Errorf("the provider goes on: %v", err)
			}
		})
	}
}

// TestConnectionsAreKept: one answer after the other goes over one connection.
func TestConnectionsAreKept(t *testing.T) {
	row, _ := chaos.Lookup(chaos.ChatNoDone)
	m := meet(t, row)
	for i := range 20 {
		if a := m.ask(t, i, 5*time.Second); a.err != nil {
			t.Fatal(a.err)
		}
		seen, cancel := context.WithTimeout(t.Context(), patience)
		if err := m.Await(seen, func(s chaos.Stats) bool { return s.InFlight == 0 }); err != nil {
			t.Error(err)
		}
		cancel()
	}
	if n := m.Stats().Connections; n > 3 { // the end of an answer may be on its way still
		t.Errorf("%d connections for 20 answers", n)
	}
}

// TestTheFaultsAreInTheDocs: docs/NEVER-HANGS.md has a row for each fault that
// only the chat model has.
func TestTheFaultsAreInTheDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/NEVER-HANGS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range chaos.ChatFaults() {
		if row := fmt.Sprintf("| `%s`: %s |", e.Fault, e.Does); !strings.Contains(string(doc), row) {
			t.Errorf("docs/NEVER-HANGS.md has no row %s", row)
		}
	}
	count := fmt.Sprintf("%d faults of its own, and the %d ", len(chaos.ChatFaults()), len(table())-len(chaos.ChatFaults()))
	if !strings.Contains(string(doc), count) {
		t.Errorf("docs/NEVER-HANGS.md does not say %q", count)
	}
}
