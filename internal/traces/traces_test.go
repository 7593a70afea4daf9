package traces

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"weir/internal/embed"
	"weir/internal/rag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ rag.Tracer   = (*Traces)(nil)
	_ embed.Tracer = (*Traces)(nil)
)

// kept is a sender that keeps spans, after what hold says.
type kept struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
	hold  func(context.Context) error
}

func (k *kept) send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if k.hold != nil {
		if err := k.hold(ctx); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, spans...)
	return nil
}

func (k *kept) close() {}

func (k *kept) named(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == name })
	if i < 0 {
		t.Fatalf("there is no span %q", name)
	}
	return k.spans[i]
}

func begin(t *testing.T, cfg Config, k *kept) *Traces {
	t.Helper()
	tr, err := newTraces(t.Context(), cfg.WithDefaults(), k)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

const (
	theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent = "00-" + theirs + "-00f067aa0ba902b7-01"
)

func TestSpansOfACall(t *testing.T) {
	k := &kept{}
	tr := begin(t, Config{}, k)
	h := http.Header{"Traceparent": {parent}, "Tracestate": {"marker=secret"}}
	ctx, id, answered := tr.RequestBegan(t.Context(), h, "POST", "/v1/retrieve", "op-1")
	if id != theirs {
		t.Errorf("trace %q", id)
	}
	call, end := tr.Begin(ctx, "retrieve", slog.String("operation_id", "op-1"))
	stage, stop := tr.Begin(call, "embed")
	up := tr.Parent(stage)
	other, alone := tr.Begin(t.Context(), "another's")
	sent, landed := tr.AttemptBegan(t.Context(), []string{up, tr.Parent(other)}, rag.ForQuery, 2, 1)
	if !strings.HasPrefix(sent, "00-"+theirs+"-") || sent == up {
		t.Errorf("the provider is told %q", sent)
	}
	landed(rag.Timeout, "headers")
	writing, written := tr.Begin(call, "chat")
	if sent, end := tr.AnswerBegan(writing, 2); !strings.HasPrefix(sent, "00-"+theirs+"-") {
		t.Errorf("the chat model is told %q", sent)
	} else {
		end("", "")
	}
	written(nil, slog.String("finish_reason", "stop"))
	stop(&rag.Error{Code: rag.Timeout, Phase: "headers", Msg: "a marker of a text"})
	alone(nil)
	end(nil, slog.String("mode", "lexical"), slog.String("question", "a marker of a text"), slog.Any("operation_id", errors.New("a marker")),
		slog.String("degraded", strings.Repeat("a marker", 20)))
	answered(503, rag.Timeout)
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, within := range map[string]string{"retrieve": "POST /v1/retrieve", "embed": "retrieve", "provider": "embed", "chat": "retrieve"} {
		if s, p := k.named(t, name), k.named(t, within); s.Parent().SpanID() != p.SpanContext().SpanID() || s.SpanContext().TraceID().String() != theirs {
			t.Errorf("%s is not within %s", name, within)
		}
	}
	if l := k.named(t, "provider").Links(); len(l) != 1 || l[0].SpanContext.SpanID() != k.named(t, "another's").SpanContext().SpanID() {
		t.Errorf("links %v", l)
	}
	if s := k.named(t, "embed").Status(); s.Code != codes.Error || s.Description != "timeout" {
		t.Errorf("status %+v", s)
	}
	for _, s := range k.spans {
		if s.SpanContext().TraceState().Len() != 0 {
			t.Errorf("%s has the caller's tracestate", s.Name())
		}
		for _, a := range s.Attributes() {
			if strings.Contains(a.Value.String(), "marker") {
				t.Errorf("%s says %s = %s", s.Name(), a.Key, a.Value.String())
			}
		}
	}
	if st := tr.Stats(); st.Sent != 7 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

// Whose trace a request is of, and whether it is recorded.
func TestCallersTraces(t *testing.T) {
	unsampled := strings.TrimSuffix(parent, "01") + "00"
	for _, tt := range []struct {
		name, sampler string
		headers       []string
		want          string // of the trace; "new", or "" when it is not recorded
	}{
		{"none", "", nil, "new"},
		{"theirs", "", []string{parent}, theirs},
		{"theirs, not sampled", "", []string{unsampled}, ""},
		{"their flag decides nothing", "always_on", []string{unsampled}, theirs},
		{"nor here", "always_off", []string{parent}, ""},
		{"two", "", []string{parent, parent}, "new"},
		{"all zero", "", []string{"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}, "new"},
		{"in capitals", "", []string{strings.ToUpper(parent)}, "new"},
		{"too long", "", []string{parent + "-extra"}, "new"},
		{"no version", "", []string{"ff" + parent[2:]}, "new"},
		{"a text", "", []string{"What is the dose?"}, "new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := begin(t, Config{Sampler: tt.sampler}, &kept{})
			_, id, end := tr.RequestBegan(t.Context(), http.Header{"Traceparent": tt.headers}, "GET", "/", "op")
			end(200, "")
			if fresh := id != "" && id != theirs; fresh != (tt.want == "new") || (!fresh && id != tt.want) {
				t.Errorf("trace %q, want %q", id, tt.want)
			}
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := newTraces(t.Context(), Config{Sampler: "sometimes"}.WithDefaults(), &kept{}); err == nil {
		t.Error("there is no such sampler")
	}
}

// A collector that hangs costs no call anything: the queue fills, the rest is
// dropped and counted, and Close is back in its time.
func TestCollectorThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{hold: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		tr := begin(t, Config{Queue: 10, Batch: 5, Timeout: time.Minute}, k)
		before := time.Now()
		for range 100 {
			_, end := tr.Begin(t.Context(), "a")
			end(nil)
		}
		if took := time.Since(before); took != 0 { // of the bubble's clock: nothing was waited for
			t.Errorf("calls waited for %v", took)
		}
		synctest.Wait()
		if st := tr.Stats(); st.Dropped < 80 || st.Sent != 0 || st.Waiting > 10 {
			t.Errorf("%+v", st)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := tr.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(before); took != 2*time.Second {
			t.Errorf("Close took %v", took)
		}
		if st := tr.Stats(); st.Dropped != 100 {
			t.Errorf("%+v", st)
		}
		_, end := tr.Begin(t.Context(), "after")
		end(nil)
	})
}

// What fails is said once, and again when it is over.
func TestCollectorThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		fails := true
		k := &kept{}
		k.hold = func(context.Context) error {
			if fails {
				return errors.New("503")
			}
			return nil
		}
		tr := begin(t, Config{Every: time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))}, k)
		for range 3 {
			_, end := tr.Begin(t.Context(), "a")
			end(nil)
			<-time.NewTimer(time.Second).C
			synctest.Wait()
		}
		fails = false
		_, end := tr.Begin(t.Context(), "a")
		end(nil)
		<-time.NewTimer(time.Second).C
		synctest.Wait()
		if st := tr.Stats(); st.Dropped != 3 || st.Sent != 1 {
			t.Errorf("%+v", st)
		}
		if err := tr.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Count(log.String(), "not taken") != 1 || strings.Count(log.String(), "taken by the collector again") != 1 {
			t.Errorf("log:\n%s", &log)
		}
	})
}

// On a real socket.
func TestOTLP(t *testing.T) {
	var mu sync.Mutex
	var got tracepb.TracesData
	var head http.Header
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		b, err := io.ReadAll(body)
		if err = errors.Join(err, proto.Unmarshal(b, &got)); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		head = r.Header
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) // and an answer that goes on
	}))
	defer srv.Close()
	for _, tt := range []struct {
		name   string
		gzip   bool
		status int
		sent   int64
	}{{"plain", false, 200, 1}, {"compressed", true, 200, 1}, {"refused", false, 500, 0}, {"sent elsewhere", false, 302, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			status = tt.status
			got.Reset()
			mu.Unlock()
			tr, err := New(t.Context(), Config{
				Endpoint: srv.URL + "/v1/traces", Gzip: tt.gzip, Headers: map[string]string{"api-key": "k"},
				Version: "1.2", About: map[string]string{"deployment.environment": "test"},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, end := tr.Begin(t.Context(), "retrieve")
			end(nil)
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if st := tr.Stats(); st.Sent != tt.sent || st.Sent+st.Dropped != 1 {
				t.Errorf("%+v", st)
			}
			mu.Lock()
			defer mu.Unlock()
			if head.Get("api-key") != "k" || head.Get("Content-Type") != "application/x-protobuf" {
				t.Errorf("headers %v", head)
			}
			r := got.ResourceSpans[0]
			if r.ScopeSpans[0].Spans[0].Name != "retrieve" || !strings.Contains(r.Resource.String(), "deployment.environment") || !strings.Contains(r.Resource.String(), "1.2") {
				t.Errorf("got %v", r)
			}
		})
	}
	for _, bad := range []string{"localhost:4318", "ftp://x/", "http://user:secret@x/", "://"} {
		if _, err := New(t.Context(), Config{Endpoint: bad}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	gone, err := New(t.Context(), Config{Endpoint: "http://127.0.0.1:1/v1/traces?key=secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = gone.exporter.to.send(t.Context(), nil)
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("says %v", err)
	}
	if err := gone.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
