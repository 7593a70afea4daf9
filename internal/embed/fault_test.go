package embed

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/embed/embedtest"
	"weir/internal/provider"
	"weir/internal/rag"
)

const (
	dim = 32
	key = "sk-test-0123456789abcdef"
)

// against is a Config for a fake provider: quick to try again.
func against(s *embedtest.Server) Config {
	return Config{
		BaseURL: s.URL(), APIKey: key, Model: "m", Dimensions: dim,
		Backoff: time.Nanosecond, MaxBackoff: time.Second, CacheBytes: 1,
		MaxResponseBytes: 1 << 20, Network: provider.Network{RootCAs: s.RootCAs()},
	}
}

func open(t *testing.T, cfg Config) *Pipeline {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// same checks that got are the vectors of texts.
func same(t *testing.T, got [][]float32, texts []string) {
	t.Helper()
	if len(got) != len(texts) {
		t.Fatalf("%d vectors, want %d", len(got), len(texts))
	}
	for i, text := range texts {
		want := embedtest.Vector(text, dim)
		var norm float64
		for j := range want {
			if len(got[i]) != dim || math.Abs(float64(got[i][j]-want[j])) > 1e-6 {
				t.Fatalf("vector %d is not that of %q", i, text)
			}
			norm += float64(got[i][j]) * float64(got[i][j])
		}
		if math.Abs(norm-1) > 1e-5 {
			t.Errorf("vector %d has length² %v", i, norm)
		}
	}
}

// TestFaults is what each misbehaviour of a provider becomes when it lasts,
// and that it is survived when it passes.
func TestFaults(t *testing.T) {
	seconds := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	status := func(n int) embedtest.Reply { return embedtest.Reply{Status: n} }
	fault := func(f embedtest.Fault) embedtest.Reply { return embedtest.Reply{Fault: f} }
	tests := []struct {
		name   string
		reply  embedtest.Reply
		code   rag.Code
		phase  string
		msg    string
		after  time.Duration
		passes bool // a single such reply is not seen by the caller
	}{
		{"400", status(400), rag.Invalid, "headers", "]: the embedding provider refused the text (400): told to fail", 0, false},
		{"400, not by an API", embedtest.Reply{Status: 400, Body: "<html>nginx</html>"}, rag.Unavailable, "headers", "refused the request (400)", 0, false},
		{"413, not by an API", embedtest.Reply{Status: 413, Body: "<html>nginx</html>"}, rag.Invalid, "headers", "refused the text (413)", 0, false},
		{"413", status(413), rag.Invalid, "headers", "refused the text (413)", 0, false},
		{"422", status(422), rag.Invalid, "headers", "refused the text (422)", 0, false},
		{"400 for the model", embedtest.Reply{Status: 400, Code: "model_not_found"}, rag.Unavailable, "headers", `has no model "m"`, 0, false},
		{"400 for the key", embedtest.Reply{Status: 400, Code: "API_KEY_INVALID"}, rag.Unavailable, "headers", "refused the API key (400)", 0, false},
		{"401", embedtest.Reply{Status: 401, Message: "no such key: sk-te***cdef"}, rag.Unavailable, "headers", "refused the API key (401)", 0, false},
		{"402", status(402), rag.Unavailable, "headers", "(402)", 0, false},
		{"403", status(403), rag.Unavailable, "headers", "refused access with this API key (403): told to fail", 0, false},
		{"404", status(404), rag.Unavailable, "headers", `has no model "m", or no embeddings at this address (404)`, 0, false},
		{"405", status(405), rag.Unavailable, "headers", "(405)", 0, false},
		{"408", status(408), rag.Unavailable, "headers", "(408)", 0, true},
		{"429", status(429), rag.Unavailable, "headers", "asked too often (429)", 0, true},
		{"429, come back", embedtest.Reply{Status: 429, Header: seconds("7.5")}, rag.Unavailable, "headers", "(429)", 7500 * time.Millisecond, false},
		{"429, come back never", embedtest.Reply{Status: 429, Header: seconds("9999999999999")}, rag.Unavailable, "headers", "(429)", provider.MaxRetryAfter, false},
		{"429, by date", embedtest.Reply{Status: 429, Header: http.Header{
			"Retry-After": {"Fri, 02 Jan 2026 09:00:09 GMT"}, "Date": {"Fri, 02 Jan 2026 09:00:00 GMT"},
		}}, rag.Unavailable, "headers", "(429)", 9 * time.Second, false},
		{"429, nonsense", embedtest.Reply{Status: 429, Header: seconds("tomorrow")}, rag.Unavailable, "headers", "(429)", 0, true},
		{"429, unpaid", embedtest.Reply{Status: 429, Code: "insufficient_quota"}, rag.Unavailable, "headers", "(429)", 0, false},
		{"500", status(500), rag.Unavailable, "headers", "answered with an error (500): told to fail", 0, true},
		{"501", status(501), rag.Unavailable, "headers", "(501)", 0, false},
		{"502, html", embedtest.Reply{Status: 502, Body: "<html>nginx</html>"}, rag.Unavailable, "headers", "answered with an error (502)", 0, true},
		{"503, come back", embedtest.Reply{Status: 503, Header: seconds("60")}, rag.Unavailable, "headers", "(503)", time.Minute, false},
		{"504", status(504), rag.Unavailable, "headers", "(504)", 0, true},
		{"529", status(529), rag.Unavailable, "headers", "(529)", 0, true},
		{"redirect", embedtest.Reply{Status: 307, Header: http.Header{"Location": {"/v1/embeddings"}}}, rag.Unavailable, "headers", "redirect (307)", 0, false},
		{"a key in the message", embedtest.Reply{Status: 500, Message: "upstream said: " + key}, rag.Unavailable, "headers", "upstream said: [key]", 0, true},
		{"a text in the message", embedtest.Reply{Status: 500, Message: "cannot embed 'one two'"}, rag.Unavailable, "headers", "cannot embed [text]", 0, true},

		{"garbage", fault(embedtest.Garbage), rag.Unavailable, "decode", "cannot be read (application/json)", 0, true},
		{"empty", embedtest.Reply{Body: " "}, rag.Unavailable, "decode", "cannot be read", 0, true},
		{"no content", embedtest.Reply{Status: 200, Body: "{}"}, rag.Unavailable, "decode", "cannot be read", 0, true},
		{"truncated", fault(embedtest.Truncated), rag.Unavailable, "decode", "cannot be read", 0, true},
		{"cut", fault(embedtest.Cut), rag.Unavailable, "body", "broke off its answer", 0, true},
		{"endless", fault(embedtest.Endless), rag.Unavailable, "body", "more than 851968 bytes", 0, false},
		{"bomb", fault(embedtest.Bomb), rag.Unavailable, "body", "more than 851968 bytes", 0, false},
		{"not gzip", embedtest.Reply{Body: "{}", Header: http.Header{"Content-Encoding": {"gzip"}}}, rag.Unavailable, "body", "broke off its answer", 0, true},
		{"error inside", fault(embedtest.ErrorInside), rag.Unavailable, "check", "error under status 200: told to fail", 0, true},
		{"429 inside", embedtest.Reply{Body: `{"error":{"code":429,"message":"slow down"}}`}, rag.Unavailable, "check", "(429): slow down", 0, true},
		{"401 inside", embedtest.Reply{Body: `{"error":{"code":401,"message":"no"}}`}, rag.Unavailable, "check", "refused the API key (401)", 0, false},
		{"wrong dim", fault(embedtest.WrongDim), rag.Unavailable, "check", "vectors of 31 values where 32 are configured", 0, false},
		{"short vector", fault(embedtest.ShortVector), rag.Unavailable, "check", "texts[2]: the embedding provider", 0, true},
		{"NaN", fault(embedtest.NaN), rag.Unavailable, "check", "texts[2]: the embedding provider sent no usable vector", 0, true},
		{"null", fault(embedtest.Null), rag.Unavailable, "check", "texts[2]", 0, true},
		{"zero", fault(embedtest.Zero), rag.Unavailable, "check", "texts[2]", 0, true},
		{"duplicate", fault(embedtest.Duplicate), rag.Unavailable, "check", "answered twice for text 0 of 3", 0, true},
		{"missing", fault(embedtest.Missing), rag.Unavailable, "check", "texts[2]", 0, true},
		{"extra", fault(embedtest.Extra), rag.Unavailable, "check", "answered for text 3 of 3", 0, true},
		{"many extra", embedtest.Reply{Body: `{"data":[` + strings.Repeat(`{},`, 99) + `{}]}`}, rag.Unavailable, "check", "more vectors than were asked for", 0, true},
		{"no index", fault(embedtest.NoIndex), rag.Unavailable, "check", "answered twice", 0, true},
	}
	texts := []string{"one two", "two three", "three four"}
	for _, tt := range tests {
		for _, floats := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/floats=%t", tt.name, floats), func(t *testing.T) {
				s := embedtest.New(t, embedtest.Options{Dim: dim, FloatsOnly: floats})
				p := open(t, against(s))
				s.Always(tt.reply)
				got, err := p.Embed(t.Context(), "u", rag.ForQuery, texts)
				if got != nil {
					t.Errorf("vectors beside an error")
				}
				e := typed(t, err)
				if e.Code != tt.code || e.Phase != tt.phase || e.RetryAfter != tt.after || !strings.Contains(e.Msg, tt.msg) {
					t.Errorf("%s in %s, after %s: %s\nwant %s in %s, after %s: … %s …", e.Code, e.Phase, e.RetryAfter, e.Msg, tt.code, tt.phase, tt.after, tt.msg)
				}
				before := s.Calls()
				s.Always(embedtest.Reply{})
				s.Next(tt.reply)
				got, err = p.Embed(t.Context(), "u", rag.ForQuery, texts)
				switch {
				case tt.passes && err == nil:
					same(t, got, texts)
					if s.Calls() != before+2 {
						t.Errorf("%d calls to survive one fault", s.Calls()-before)
					}
				case tt.passes:
					t.Errorf("it did not pass: %v", err)
				case err == nil && !strings.HasPrefix(tt.msg, "refused the") && tt.code != rag.Invalid: // those are asked for without options, or in halves
					t.Errorf("it was tried again")
				}
			})
		}
	}
}

// typed checks what holds for every error of Embed.
func typed(t *testing.T, err error) *rag.Error {
	t.Helper()
	e, ok := err.(*rag.Error) //nolint:errorlint // it must be one, not wrap one
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	all := fmt.Sprintf("%v %+v %s %#v", e, e, e.Msg, e)
	for _, secret := range []string{key, key[:8], key[len(key)-8:], "one two"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q in %s", secret, all)
		}
	}
	if e.Phase == "" || len(e.Msg) > 600 {
		t.Errorf("phase %q, %d bytes of message", e.Phase, len(e.Msg))
	}
	return e
}

func TestShuffledIsFine(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	p := open(t, against(s))
	s.Always(embedtest.Reply{Fault: embedtest.Shuffled})
	texts := []string{"one two", "two three", "three four"}
	got, err := p.Embed(t.Context(), "u", rag.ForQuery, texts)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, texts)
}

func TestInvalidTexts(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	cfg := against(s)
	cfg.MaxTextBytes = 10
	p := open(t, cfg)
	tests := []struct {
		name, text, msg string
	}{
		{"empty", "", "texts[1]: it is empty"},
		{"blank", " \n\t\u00a0", "texts[1]: it is empty"},
		{"long", "12345678901", "texts[1]: it is too long to embed (11 bytes, at most 10)"},
		{"not UTF-8", "a\xff", "texts[1]: it is not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := p.Embed(t.Context(), "u", rag.ForIngest, []string{"a", tt.text})
			e := typed(t, err)
			if e.Code != rag.Invalid || e.Msg != tt.msg || e.Field != "texts[1]" || e.Phase != "validate" {
				t.Errorf("%+v, want %s", e, tt.msg)
			}
		})
	}
	got, err := p.Embed(t.Context(), "u", rag.ForIngest, nil)
	if err != nil || len(got) != 0 {
		t.Errorf("no texts: %v, %v", got, err)
	}
	if s.Calls() != 0 {
		t.Errorf("%d calls", s.Calls())
	}
}

func TestWithoutKey(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim, Key: "x"})
	cfg := against(s)
	cfg.APIKey = ""
	_, err := open(t, cfg).Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Unavailable || !strings.Contains(e.Msg, "none is configured (401)") {
		t.Error(e)
	}
	if _, sent := s.Requests()[0].Header["Authorization"]; sent {
		t.Error("Authorization was sent")
	}
}

func TestNone(t *testing.T) {
	var n rag.Embedder = None{}
	_, err := n.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Unavailable || e.Msg != "no embedder is configured" {
		t.Error(e)
	}
	if n.Model() != (rag.Model{}) || n.MaxBatch() < 1 {
		t.Error(n.Model(), n.MaxBatch())
	}
}
