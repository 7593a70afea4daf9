package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/internal/openai"
	"weir/internal/rag"
)

func postEmbeddings(t testing.TB, h http.Handler, body string, headers ...string) *response {
	t.Helper()
	return ask(t, h, request(t, http.MethodPost, "/v1/embeddings", strings.NewReader(body), append(headers, "Content-Type", contentJSON)...))
}

func TestEmbeddings(t *testing.T) {
	h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
	long := slices.Repeat([]string{"b"}, rag.MaxEmbedTexts)
	many, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		want       []string // the texts
		dim        int
		base64     bool
		tokens     int
	}{
		{"a text", `{"model":"maker/letters-1","input":"a cab"}`, []string{"a cab"}, 5, false, 2},
		{"no model", `{"input":"a"}`, []string{"a"}, 5, false, 1},
		{"empty model", `{"model":"","input":"a"}`, []string{"a"}, 5, false, 1},
		{"texts", `{"input":["a","bb","a"],"encoding_format":"float"}`, []string{"a", "bb", "a"}, 5, false, 3},
		{"as base64", `{"input":["a","dd"],"encoding_format":"base64"}`, []string{"a", "dd"}, 5, true, 2},
		{"tokens", `{"input":[97,98]}`, []string{"ab"}, 5, false, 2},
		{"lists of tokens", `{"input":[[97,98],[99]],"encoding_format":"base64"}`, []string{"ab", "c"}, 5, true, 3},
		{"fewer dimensions", `{"input":"abd","dimensions":2}`, []string{"abd"}, 2, false, 1},
		{"all dimensions", `{"input":"abd","dimensions":5}`, []string{"abd"}, 5, false, 1},
		{"what clients send", `{"input":"a","user":"u-7","encoding_format":null,"dimensions":null,"input_type":"query","truncate":"END","extra":{"deep":[[]]}}`, []string{"a"}, 5, false, 1},
		{"as many as may be", `{"input":` + string(many) + `}`, long, 5, false, rag.MaxEmbedTexts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := postEmbeddings(t, h, tt.body)
			if got.status != 200 || got.header.Get("Content-Type") != contentJSON {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			answer, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: len(tt.want), Values: tt.dim})
			if err != nil {
				t.Fatal(err)
			}
			if answer.Model != "maker/letters-1" || answer.Usage != (openai.Usage{PromptTokens: tt.tokens, TotalTokens: tt.tokens}) {
				t.Errorf("model %q, usage %+v", answer.Model, answer.Usage)
			}
			if len(answer.Data) != len(tt.want) {
				t.Fatalf("%d vectors, want %d", len(answer.Data), len(tt.want))
			}
			for i, e := range answer.Data {
				if want := cut(vectorOf(tt.want[i]), tt.dim); e.Index != i || e.Err != nil || !near(e.Vector, want) {
					t.Fatalf("item %d: %+v, want %v", i, e, want)
				}
			}
			if bytes.Contains(got.body, []byte(`"embedding":"`)) != tt.base64 {
				t.Errorf("as base64: want %t: %.200s", tt.base64, got.body)
			}
			if id := got.header.Get("X-Operation-Id"); id == "" || id != got.header.Get("X-Request-Id") {
				t.Errorf("ids: %q", got.header)
			}
		})
	}
}

// cut is the first dim values of v, of unit length again.
func cut(v []float32, dim int) []float32 {
	var sum float64
	for _, x := range v[:dim] {
		sum += float64(x) * float64(x)
	}
	out := slices.Clone(v[:dim])
	for i := range out {
		out[i] /= float32(math.Sqrt(sum))
	}
	return out
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return x-y < 1e-6 && y-x < 1e-6 })
}

func TestEmbeddingsRefusals(t *testing.T) {
	over := `{"input":[` + strings.Repeat(`"a",`, rag.MaxEmbedTexts) + `"a"]}`
	const wrong = "invalid_request_error"
	for _, tt := range []struct {
		name, body string
		headers    []string
		status     int
		kind       string
		param      string
		code       string
		message    string
	}{
		{"no input", `{"model":"maker/letters-1"}`, nil, 400, wrong, "input", "invalid", "missing"},
		{"null", `{"input":null}`, nil, 400, wrong, "input", "invalid", "missing"},
		{"empty text", `{"input":""}`, nil, 400, wrong, "input[0]", "invalid", "empty"},
		{"empty text among others", `{"input":["a",""]}`, nil, 400, wrong, "input[1]", "invalid", "empty"},
		{"empty list", `{"input":[]}`, nil, 400, wrong, "input", "invalid", "empty"},
		{"empty list of tokens", `{"input":[[97],[]]}`, nil, 400, wrong, "input[1]", "invalid", "empty"},
		{"no such token", `{"input":[[97],[98,7]]}`, nil, 400, wrong, "input[1]", "invalid", "no token"},
		{"token below zero", `{"input":[-1]}`, nil, 400, wrong, "input", "invalid", "not a token"},
		{"mixed", `{"input":["a",[97]]}`, nil, 400, wrong, "input[1]", "invalid", "another kind"},
		{"an object", `{"input":{"text":"a"}}`, nil, 400, wrong, "input", "invalid", "a list of strings"},
		{"too many", over, nil, 400, wrong, "input", "invalid", "2048"},
		{"too long", `{"input":["a","` + strings.Repeat("a ", rag.MaxQueryTokens+1) + `"]}`, nil, 400, wrong, "input[1]", "invalid", "8191"},
		{"another model", `{"model":"text-embedding-3-small","input":"a"}`, nil, 404, wrong, "model", "model_not_found", "this server has maker/letters-1"},
		{"other case", `{"model":"Maker/Letters-1","input":"a"}`, nil, 404, wrong, "model", "model_not_found", "Maker/Letters-1"},
		{"encoding", `{"input":"a","encoding_format":"int8"}`, nil, 400, wrong, "encoding_format", "invalid", "base64"},
		{"no dimensions", `{"input":"a","dimensions":0}`, nil, 400, wrong, "dimensions", "invalid", "from 1 to 5"},
		{"too many dimensions", `{"input":"a","dimensions":6}`, nil, 400, wrong, "dimensions", "invalid", "from 1 to 5"},
		{"timeout", `{"input":"a"}`, []string{"X-Weir-Timeout-Ms", "0"}, 400, wrong, "X-Weir-Timeout-Ms", "invalid", "from 1"},
		{"timeout in words", `{"input":"a"}`, []string{"X-Weir-Timeout-Ms", "1s"}, 400, wrong, "X-Weir-Timeout-Ms", "invalid", "1s"},
		{"timeout twice", `{"input":"a"}`, []string{"X-Weir-Timeout-Ms", "1", "X-Weir-Timeout-Ms", "2"}, 400, wrong, "X-Weir-Timeout-Ms", "invalid", "2 times"},

		// By the door itself.
		{"broken JSON", `{"input":`, nil, 400, wrong, "", "invalid", "not JSON"},
		{"no body", ``, nil, 400, wrong, "", "invalid", "not JSON"},
		{"too large", `{"input":"` + strings.Repeat("a", maxEmbeddings) + `"}`, nil, 413, wrong, "", "too_large", "8 MiB"},
		{"compressed", `x`, []string{"Content-Encoding", "gzip"}, 415, wrong, "Content-Encoding", "unsupported_media", "gzip"},
		{"user", `{"input":"a"}`, []string{"X-User-ID", ""}, 400, wrong, "X-User-ID", "invalid", "empty"},
		{"web page", `{"input":"a"}`, []string{"Origin", "http://evil.example"}, 403, "permission_error", "", "forbidden", "web page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
			got := postEmbeddings(t, h, tt.body, tt.headers...)
			message, kind, param, code := got.openAIError(t)
			if got.status != tt.status || kind != tt.kind || param != tt.param || code != tt.code || !strings.Contains(message, tt.message) {
				t.Errorf("got %d %s %q %s: %s", got.status, kind, param, code, message)
			}
			if got.header.Get("X-Should-Retry") != "false" {
				t.Error("a client would try that again")
			}
			if len(message) > 1000 {
				t.Errorf("the message is %d bytes long", len(message))
			}
		})
	}
}

func TestModels(t *testing.T) {
	h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
	list := decode[openai.ModelList](t, ask(t, h, request(t, http.MethodGet, "/v1/models", nil)))
	if list.Object != "list" || len(list.Data) != 2 {
		t.Fatalf("got %+v", list)
	}
	m := list.Data[0]
	if m.ID != "maker/letters-1" || m.Object != "model" || m.Created == 0 || m.OwnedBy != "weir" || m.Dimensions != 5 {
		t.Errorf("got %+v", m)
	}
	if answerer := list.Data[1]; answerer.ID != "weir" || decode[openai.Model](t, ask(t, h, request(t, http.MethodGet, "/v1/models/weir", nil))) != answerer {
		t.Errorf("got %+v", answerer)
	}
	for _, target := range []string{"/v1/models/maker/letters-1", "/v1/models/maker%2Fletters-1"} {
		if got := decode[openai.Model](t, ask(t, h, request(t, http.MethodGet, target, nil))); got != m {
			t.Errorf("%s: %+v", target, got)
		}
	}
}

func TestWithoutEmbedder(t *testing.T) {
	h := newDoor(Config{}, newService(t, rag.Config{}, &shelf{}))
	got := postEmbeddings(t, h, `{"model":"m","input":"a"}`)
	if message, kind, _, code := got.openAIError(t); got.status != 503 || code != "unavailable" || kind != "server_error" ||
		!strings.Contains(message, "no embedder") || got.header.Get("X-Should-Retry") != "false" {
		t.Errorf("got %d %s %q: %s", got.status, code, got.header, message)
	}
	if got := ask(t, h, request(t, http.MethodGet, "/v1/models", nil)); got.status != 200 || !strings.Contains(string(got.body), `"data":[{"id":"weir"`) {
		t.Errorf("models: %d %s", got.status, got.body)
	}
	if got := ask(t, h, request(t, http.MethodGet, "/v1/models/m", nil)); got.status != 404 {
		t.Errorf("a model: %d %s", got.status, got.body)
	}
}

// FuzzEmbeddings sends any body: never a panic, what is refused is refused with
// a 4xx of OpenAI's shape, and what is answered has a vector for each input.
func FuzzEmbeddings(f *testing.F) {
	for _, seed := range []string{
		`{"input":"a"}`, `{"input":["a","b"],"encoding_format":"base64","dimensions":3}`,
		`{"input":[97,98],"model":"maker/letters-1"}`, `{"input":[[97],[98,99]]}`, `{"input":[["a"]]}`, `{"input":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	h := newDoor(Config{}, newServiceWith(f, rag.Config{}, &shelf{}, &letters{}))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := postEmbeddings(t, h, string(body))
		if got.status != 200 {
			if _, _, _, code := got.openAIError(t); got.status < 400 || got.status > 499 || code == "" {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			return
		}
		var r struct{ Input any }
		answer, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: rag.MaxEmbedTexts, Values: 5})
		if err != nil || json.Unmarshal(body, &r) != nil {
			t.Fatalf("%v: %s", err, got.body)
		}
		want := 1
		if list, ok := r.Input.([]any); ok {
			if _, flat := list[0].(float64); !flat {
				want = len(list)
			}
		}
		if len(answer.Data) != want {
			t.Errorf("%d vectors, want %d: %s", len(answer.Data), want, body)
		}
		for i, e := range answer.Data {
			if e.Index != i || e.Err != nil {
				t.Errorf("item %d: %+v", i, e)
			}
		}
	})
}

// TestUserOfTheBodyIsNoIdentity: only the header is.
func TestUserOfTheBodyIsNoIdentity(t *testing.T) {
	seen := make(chan rag.User, 1)
	h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, asker{&letters{}, seen}))
	if got := postEmbeddings(t, h, `{"input":"a","user":"eve"}`, "X-User-ID", "ann"); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if u := <-seen; u != "ann" {
		t.Errorf("the embedder worked for %q", u)
	}
}

// asker tells for whom it was asked.
type asker struct {
	*letters
	seen chan rag.User
}

func (a asker) Embed(ctx context.Context, u rag.User, p rag.Purpose, texts []string) ([][]float32, error) {
	a.seen <- u
	return a.letters.Embed(ctx, u, p, texts)
}
