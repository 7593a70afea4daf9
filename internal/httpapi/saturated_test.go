package httpapi

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// TestAnswersWhenAllIsFull: every lane is full, every slot of the service is
// taken, and the store is deaf even to the end of a call.
func TestAnswersWhenAllIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		pages := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "weir_up 1\n") })
		h := newDoor(Config{MaxRequests: 2, Metrics: pages, Pipeline: func() any { return map[string]int{"slots": 8} }},
			newServiceWith(t, rag.Config{MaxInFlight: 1}, s, &letters{}))
		deaf := make(chan struct{})
		s.setHook(func(context.Context, string) error { <-deaf; return nil })
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() {
				ask(t, h, request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(`{"query":"a"}`), "Content-Type", contentJSON))
			})
		}
		synctest.Wait()
		for _, l := range []lane{h.uploads, h.streams} {
			for range cap(l.places) {
				if _, err := l.enter(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := h.bodies.take("somebody", h.bodies.max-h.bodies.look().held()); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, h, request(t, http.MethodGet, "/v1/models", nil)); got.status != 503 {
			t.Fatalf("it is not full: %d", got.status)
		}
		for _, tt := range []struct {
			target string
			status int
			within time.Duration
			words  []string
		}{
			{"/healthz", 200, 0, []string{"ok"}},
			{"/metrics", 200, 0, []string{"weir_up 1"}},
			{"/v1/status", 200, time.Second, []string{
				`"store_error":"timeout"`, `"pipeline":{"slots":8}`, `"requests":{"now":2,"max":2}`,
				`"body_bytes":{"now":268435456,"max":268435456}`, `"uploads":{"now":4,"max":4}`,
			}},
			{"/readyz", 503, readyPatience, []string{"the store did not answer in time"}},
		} {
			began := time.Now()
			got := ask(t, h, request(t, http.MethodGet, tt.target, nil))
			if took := time.Since(began); got.status != tt.status || took > tt.within || slices.ContainsFunc(tt.words, func(w string) bool { return !strings.Contains(string(got.body), w) }) {
				t.Errorf("%s: %d after %v: %s", tt.target, got.status, took, got.body)
			}
		}
		callers.Wait()
		close(deaf)
		synctest.Wait()
	})
}

func (l Lane) held() int64 { return int64(l.Now) }

func TestStatusWithoutPipeline(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pipeline func() any
		want     bool
	}{
		{"none", nil, false},
		{"that says nothing", func() any { return nil }, false},
		{"that cannot be written", func() any { return math.NaN() }, false},
		{"one", func() any { return struct{ Limit int }{7} }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, Config{Pipeline: tt.pipeline}, rag.Config{})
			st, err := h.client(t).Status(t.Context())
			if err != nil || (string(st.Pipeline) == `{"Limit":7}`) != tt.want || (st.Pipeline != nil) != tt.want {
				t.Errorf("got %s, %v", st.Pipeline, err)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		body    string
	}{
		{"none", nil, 404, "not_found"},
		{"whole", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			w.WriteHeader(http.StatusOK)
			_, _ = fmt.Fprintf(w, "x %q\n", r.URL.Query()["name[]"])
		}, 200, `x ["a" "b"]`},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 200, ""},
		{"failed", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "cannot gather", http.StatusInternalServerError)
		}, 500, "cannot gather"},
		{"panicking", func(http.ResponseWriter, *http.Request) { panic("the roof") }, 500, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, told := Config{}, &told{}
			if tt.handler != nil {
				cfg.Metrics = tt.handler
			}
			cfg.Observer = told
			h := newDoor(cfg, newService(t, rag.Config{}, &shelf{}))
			got := askUnchecked(t, h, request(t, http.MethodGet, "/metrics?name[]=a&name[]=b", nil))
			if got.status != tt.status || !strings.Contains(string(got.body), tt.body) || got.header.Get("X-Operation-Id") == "" {
				t.Errorf("%d %q %s", got.status, got.header, got.body)
			}
			if !strings.HasSuffix(told.all()[0], fmt.Sprint(tt.status)) {
				t.Errorf("the observer was told %q", told.all())
			}
		})
	}
	h := newDoor(Config{Metrics: http.NotFoundHandler()}, newService(t, rag.Config{}, &shelf{}))
	r := request(t, http.MethodGet, "/metrics", nil)
	r.Host = "evil.example"
	if got := ask(t, h, r); got.status != 403 {
		t.Errorf("to another host: %d", got.status)
	}
}

// told is an observer that remembers.
type told struct {
	mu   sync.Mutex
	seen []string
}

func (o *told) RequestEnded(method, route string, status int, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if took < 0 {
		route = "(before it began)"
	}
	o.seen = append(o.seen, fmt.Sprintf("%s %s %d", method, route, status))
}

func (o *told) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

func TestObserver(t *testing.T) {
	o := &told{}
	d := newDoor(Config{Observer: o}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
	d.mux.Handle("/panic", d.endpoint(route{path: "/panic", handle: func(context.Context, *exchange) (reply, error) { panic("the roof") }}))
	for _, r := range [][2]string{
		{"GET", "/healthz"},
		{"GET", "/v1/documents/private"},
		{"BREW", "/v1/documents/private"},
		{"GET", "/private"},
		{"GET", "/v1/models/private"},
		{"GET", "/panic"},
	} {
		ask(t, d, request(t, r[0], r[1], nil))
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	ask(t, d, request(t, "GET", "/v1/documents", nil).WithContext(left))
	want := []string{
		"GET /healthz 200", "GET /v1/documents/{id} 404", "other /v1/documents/{id} 405", "GET (none) 404",
		"GET /v1/models/{id...} 404", "GET /panic 500", "GET /v1/documents 499",
	}
	if got := o.all(); !slices.Equal(got, want) {
		t.Errorf("told %q,\nwant %q", got, want)
	}
}

// TestBodyBudget: memory for bodies is held as they come, so that a length that
// is only declared keeps nobody out, and refused when there is none.
func TestBodyBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newDoor(Config{MaxBodyBytes: maxEmbeddings}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
		var senders sync.WaitGroup
		answers := make(chan int, 100)
		send := func(user string, sent int) (end func()) {
			body, w := io.Pipe()
			r := request(t, http.MethodPost, "/v1/embeddings", body, "Content-Type", contentJSON, userHeader, user)
			r.ContentLength = maxEmbeddings
			senders.Go(func() { answers <- ask(t, h, r).status })
			senders.Go(func() { _, _ = w.Write([]byte(strings.Repeat(" ", sent))) })
			synctest.Wait()
			return func() { w.Close() }
		}
		held := func(want int) {
			t.Helper()
			if got := h.bodies.look(); got.Now != want {
				t.Errorf("held: %+v, want %d", got, want)
			}
		}
		var ends []func()
		for range 8 {
			ends = append(ends, send("mallory", 1)) // of 8 MiB that it declares
		}
		held(8 * firstHold)
		if got := ask(t, h, request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(`{"query":"a"}`), "Content-Type", contentJSON)); got.status != 200 {
			t.Errorf("another's question meanwhile: %d", got.status)
		}
		ends = append(ends, send("other", 3<<20))
		held(8*firstHold + 4<<20) // it doubles
		ends = append(ends, send("third", 3<<20))
		if status := <-answers; status != http.StatusServiceUnavailable {
			t.Errorf("more than there is: %d", status)
		}
		held(8*firstHold + 4<<20)
		for _, end := range ends {
			end()
		}
		senders.Wait()
		held(0)
	})
}

func TestBudgetOfUsers(t *testing.T) {
	b := budget{max: 4 * maxEmbeddings}
	for _, step := range []struct {
		user rag.User
		n    int64
		want rag.Code
	}{
		{"a", 2 * maxEmbeddings, ""},
		{"a", 1, rag.RateLimited},
		{"b", 2*maxEmbeddings - 1, ""},
		{"c", 2, rag.Overloaded},
		{"c", 1, ""},
	} {
		if err := b.take(step.user, step.n); rag.CodeOf(err) != step.want {
			t.Errorf("%s, %d: %v, want %q", step.user, step.n, err, step.want)
		}
	}
	b.give("a", 2*maxEmbeddings)
	b.give("b", 2*maxEmbeddings-1)
	b.give("c", 1)
	if b.held != 0 || len(b.users) != 0 {
		t.Errorf("left: %d of %v", b.held, b.users)
	}
}

// TestVectorBudget: the vectors of an answer are bounded like bodies.
func TestVectorBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		slow := wide{&letters{hook: func(context.Context) error { <-goOn; return rag.Errorf(rag.Unavailable, "down") }}}
		h := newDoor(Config{MaxBodyBytes: maxEmbeddings}, newServiceWith(t, rag.Config{}, &shelf{}, slow))
		body := func(n int) string { return `{"input":[` + strings.Repeat(`"a",`, n-1) + `"a"]}` }
		var callers sync.WaitGroup
		callers.Go(func() { postEmbeddings(t, h, body(300)) }) // × 1024 × 18 bytes
		synctest.Wait()
		got := postEmbeddings(t, h, body(300))
		if _, _, _, code := got.openAIError(t); code != "rate_limited" {
			t.Errorf("got %d %s", got.status, got.body)
		}
		got = postEmbeddings(t, h, body(600))
		if _, _, _, code := got.openAIError(t); code != "too_large" || got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("got %d %s", got.status, got.body)
		}
		close(goOn)
		callers.Wait()
		if got := h.bodies.look(); got.Now != 0 {
			t.Errorf("held afterwards: %+v", got)
		}
	})
}

type wide struct{ *letters }

func (wide) Model() rag.Model { return rag.Model{Name: "wide", Dim: 1024} }

// TestSlowReaderIsCounted: vectors that are not taken are still in memory.
func TestSlowReaderIsCounted(t *testing.T) {
	h := newHouseWith(t, Config{MaxBodyBytes: maxEmbeddings, WriteTimeout: time.Minute}, rag.Config{}, wideAnswer{})
	c := h.dial(t)
	body := `{"input":[` + strings.Repeat(`"a",`, 299) + `"a"]}`
	if _, err := fmt.Fprintf(c, "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 12)); err != nil { // it writes
		t.Fatal(err)
	}
	st, err := h.client(t).Status(t.Context())
	if err != nil || st.Bodies.Now < 300*1536*18 {
		t.Errorf("held: %+v, %v", st.Bodies, err)
	}
}

// wideAnswer has vectors whose answer is longer than what a connection buffers.
type wideAnswer struct{ wide }

func (wideAnswer) Model() rag.Model { return rag.Model{Name: "wide", Dim: 1536} }

func (wideAnswer) Embed(_ context.Context, _ rag.User, _ rag.Purpose, texts []string) ([][]float32, error) {
	v := make([]float32, 1536)
	for i := range v {
		v[i] = 0.02551551815399144
	}
	return slices.Repeat([][]float32{v}, len(texts)), nil
}

// Many who ask for long answers and read none of them hold no more memory than
// they may; another user is answered beside them, and they when they have left.
func TestAnswersNobodyReads(t *testing.T) {
	h := newHouse(t, Config{MaxBodyBytes: 32 << 20}, rag.Config{})
	h.shelf.put(defaultUser, "big.txt", strings.Repeat("many words ", 600_000), rag.Ready) // 6.6 MB
	h.shelf.put("ann", "small.txt", "many words", rag.Ready)
	const question = `{"query":"many words"}`
	const head = "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n" + question
	var readers []net.Conn
	refused := 0
	for range 8 {
		c := h.dial(t)
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		status := make([]byte, 12)
		if _, err := io.ReadFull(c, status); err != nil {
			t.Fatal(err)
		}
		if string(status) == "HTTP/1.1 429" {
			refused++
		}
		readers = append(readers, c)
	}
	if refused == 0 || refused == 8 {
		t.Errorf("%d of 8 were refused", refused)
	}
	if held := h.door.bodies.look(); held.Now > 32<<20 {
		t.Errorf("%+v", held)
	}
	if _, err := h.client(t).Retrieve(t.Context(), "ann", rag.Request{Query: "many words"}); err != nil {
		t.Errorf("another user: %v", err)
	}
	for _, c := range readers {
		c.Close()
	}
	for range 8 {
		h.log.wait(t, `"route":"/v1/retrieve"`)
	}
}
