package embed

import (
	"strings"
	"testing"

	"weir/internal/embed/embedtest"
	"weir/internal/openai"
	"weir/internal/rag"
)

// TestOptions is which optional members are sent to providers of all kinds,
// in the first call and in those after it.
func TestOptions(t *testing.T) {
	both := []string{"encoding_format", "dimensions"}
	tests := []struct {
		name     string
		provider embedtest.Options
		dim      int // configured
		first    string
		later    string
		fails    string // part of the error; "": none
	}{
		{"bears all", embedtest.Options{Dim: dim, TakesDimensions: true}, dim, "base64+dim", "base64+dim", ""},
		{"makes the number asked for", embedtest.Options{Dim: 64, TakesDimensions: true}, dim, "base64+dim", "base64+dim", ""},
		{"answers floats", embedtest.Options{Dim: dim, FloatsOnly: true}, dim, "base64+dim", "base64+dim", ""},
		{"refuses base64", embedtest.Options{Dim: dim, Refuse: both[:1]}, dim, "base64+dim dim", "dim", ""},
		{"refuses base64, mutely", embedtest.Options{Dim: dim, Refuse: both[:1], RefuseMutely: true}, dim, "base64+dim dim", "dim", ""},
		{"refuses dimensions", embedtest.Options{Dim: dim, Refuse: both[1:]}, dim, "base64+dim base64", "base64", ""},
		{"refuses dimensions, mutely", embedtest.Options{Dim: dim, Refuse: both[1:], RefuseMutely: true}, dim, "base64+dim dim plain", "plain", ""},
		{"refuses both", embedtest.Options{Dim: dim, Refuse: both}, dim, "base64+dim dim plain", "plain", ""},
		{"refuses both, mutely", embedtest.Options{Dim: dim, Refuse: both, RefuseMutely: true}, dim, "base64+dim dim plain", "plain", ""},
		{"ignores dimensions", embedtest.Options{Dim: 48}, dim, "base64+dim", "base64+dim", "vectors of 48 values where 32 are configured"},
		{"refuses dimensions and has others", embedtest.Options{Dim: 48, Refuse: both[1:]}, dim, "base64+dim base64", "base64", "vectors of 48 values where 32 are configured, and cannot be asked for another number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := embedtest.New(t, tt.provider)
			p := open(t, against(s))
			texts := []string{"one two", "two three"}
			for i, want := range []string{tt.first, tt.later} {
				before := s.Calls()
				got, err := p.Embed(t.Context(), "u", rag.ForQuery, texts)
				if tt.fails == "" {
					if err != nil {
						t.Fatal(err)
					}
					same(t, got, texts)
				} else if e := typed(t, err); e.Code != rag.Unavailable || e.Phase != "check" || !strings.Contains(e.Msg, tt.fails) {
					t.Errorf("%+v, want %s", e, tt.fails)
				}
				if sent := describe(s.Requests()[before:]); sent != want {
					t.Errorf("call %d sent %s, want %s", i, sent, want)
				}
			}
		})
	}
}

func describe(requests []embedtest.Request) string {
	var all []string
	for _, r := range requests {
		var o []string
		if r.Encoding == openai.Base64 {
			o = append(o, "base64")
		}
		if r.Dimensions != 0 {
			o = append(o, "dim")
		}
		if o == nil {
			o = []string{"plain"}
		}
		all = append(all, strings.Join(o, "+"))
	}
	return strings.Join(all, " ")
}

// A refusal of the text must not make the client give up what the provider
// bears, neither before nor after it is known to.
func TestRefusedTextTeachesNothing(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim, TakesDimensions: true})
	p := open(t, against(s))
	refuse := embedtest.Reply{Status: 400, Message: "bad request"}
	s.Next(refuse, refuse, refuse)
	_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Invalid {
		t.Error(e)
	}
	if got := describe(s.Requests()); got != "base64+dim dim plain" {
		t.Errorf("sent %s", got)
	}
	if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	s.Next(refuse)
	if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); rag.CodeOf(err) != rag.Invalid {
		t.Error(err)
	}
	if got := describe(s.Requests()[3:]); got != "base64+dim base64+dim" {
		t.Errorf("then sent %s", got)
	}
}

func TestRequestOnTheWire(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim, Key: key})
	p := open(t, against(s))
	if _, err := p.Embed(t.Context(), "user-1", rag.ForQuery, []string{"<a>"}); err != nil {
		t.Fatal(err)
	}
	r := s.Requests()[0]
	if r.Model != "m" || r.User != "" || r.Input[0] != "<a>" {
		t.Errorf("%+v", r)
	}
	for k, want := range map[string]string{
		"Authorization": "Bearer " + key, "Content-Type": "application/json", "User-Agent": "weir", "Accept-Encoding": "gzip",
	} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if _, sent := r.Header["X-Idempotency-Key"]; sent {
		t.Error("the marker for the transport was sent")
	}
}
