package openai

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeEmbeddingsRequest(t *testing.T) {
	tests := []struct {
		name, body string
		want       EmbeddingsRequest
		param, msg string // of the refusal
	}{
		{name: "one text", body: `{"model":"m","input":"a"}`, want: EmbeddingsRequest{Model: "m", Input: []string{"a"}}},
		{
			name: "all members, and more",
			body: `{"model":"m","input":["a","\u00e9"],"encoding_format":"base64","dimensions":4,"user":"u","extra":{"x":1}}`,
			want: EmbeddingsRequest{Model: "m", Input: []string{"a", "é"}, Encoding: Base64, Dimensions: 4, User: "u"},
		},
		{name: "nulls", body: `{"model":"m","input":"a","encoding_format":null,"dimensions":null,"user":null}`, want: EmbeddingsRequest{Model: "m", Input: []string{"a"}}},
		{name: "not JSON", body: `{`, msg: "not JSON"},
		{name: "something after", body: `{"input":"a"} {}`, msg: "not JSON"},
		{name: "no input", body: `{"model":"m"}`, param: "input", msg: "missing"},
		{name: "input null", body: `{"input":null}`, param: "input", msg: "missing"},
		{name: "input empty", body: `{"input":[]}`, param: "input", msg: "empty"},
		{name: "tokens", body: `{"input":[1,2]}`, want: EmbeddingsRequest{Tokens: [][]int{{1, 2}}}},
		{name: "a token", body: `{"input":[0]}`, want: EmbeddingsRequest{Tokens: [][]int{{0}}}},
		{name: "lists of tokens", body: `{"input":[[1,2],[ 2147483647 ]]}`, want: EmbeddingsRequest{Tokens: [][]int{{1, 2}, {2147483647}}}},
		{name: "an empty list of tokens", body: `{"input":[[1],[]]}`, want: EmbeddingsRequest{Tokens: [][]int{{1}, {}}}},
		{name: "an empty text", body: `{"input":""}`, want: EmbeddingsRequest{Input: []string{""}}},
		{name: "other case is another member", body: `{"Input":"b","input":"a","MODEL":7}`, want: EmbeddingsRequest{Input: []string{"a"}}},
		{name: "all tokens allowed", body: `{"input":[1,2,3,4]}`, want: EmbeddingsRequest{Tokens: [][]int{{1, 2, 3, 4}}}},
		{name: "too many tokens", body: `{"input":[1,2,3,4,5]}`, param: "input", msg: "at most 4 tokens"},
		{name: "too many tokens in lists", body: `{"input":[[1,2,3],[4,5]]}`, param: "input", msg: "at most 4 tokens"},
		{name: "too many lists", body: `{"input":[[1],[],[],[]]}`, param: "input", msg: "at most 3 texts"},
		{name: "a negative token", body: `{"input":[3,-1]}`, param: "input", msg: "value 1 is not a token"},
		{name: "a broken token", body: `{"input":[[3],[1,1.5]]}`, param: "input[1]", msg: "value 1 is not a token"},
		{name: "a token as a text", body: `{"input":[[3],["1"]]}`, param: "input[1]", msg: "value 0 is not a token"},
		{name: "a list among tokens", body: `{"input":[3,[1]]}`, param: "input[1]", msg: "another kind"},
		{name: "a token among texts", body: `{"input":["a",1]}`, param: "input[1]", msg: "another kind"},
		{name: "a text among lists", body: `{"input":[[1],"a"]}`, param: "input[1]", msg: "another kind"},
		{name: "a huge token", body: `{"input":[2147483648]}`, param: "input", msg: "not a token"},
		{name: "a list in a list in a list", body: `{"input":[[[1]]]}`, param: "input[0]", msg: "not a token"},
		{name: "deep", body: `{"input":` + strings.Repeat("[", 1000), msg: "not JSON"},
		{name: "an object", body: `{"input":{}}`, param: "input", msg: "must be a string, a list"},
		{name: "an object in a list", body: `{"input":[{}]}`, param: "input", msg: "must be a string, a list"},
		{name: "true", body: `{"input":true}`, param: "input", msg: "must be a string, a list"},
		{name: "a null text", body: `{"input":["a",null]}`, param: "input[1]", msg: "another kind"},
		{name: "input twice", body: `{"input":"a","input":"b"}`, param: "input", msg: "twice"},
		{name: "model of a wrong type", body: `{"model":7,"input":"a"}`, param: "model", msg: "must be a string"},
		{name: "a list for a body", body: `["a"]`, msg: "must be a JSON object"},
		{name: "nothing", body: ``, msg: "not JSON"},
		{name: "not UTF-8", body: "{\"input\":\"\xff\"}", msg: "UTF-8"},
		{name: "too many", body: `{"input":["a","b","c","d"]}`, param: "input", msg: "at most 3"},
		{name: "encoding", body: `{"input":"a","encoding_format":"int8"}`, param: "encoding_format", msg: "float or base64"},
		{name: "no dimensions", body: `{"input":"a","dimensions":0}`, param: "dimensions", msg: "from 1 to 8"},
		{name: "many dimensions", body: `{"input":"a","dimensions":9}`, param: "dimensions", msg: "from 1 to 8"},
		{name: "dimensions of a wrong type", body: `{"input":"a","dimensions":"4"}`, param: "dimensions", msg: "a whole number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeEmbeddingsRequest([]byte(tt.body), Limits{Items: 3, Values: 8, Tokens: 4})
			if tt.msg == "" {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Fatalf("%+v, %v; want %+v", got, err, tt.want)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Status != 400 || e.Param != tt.param || !strings.Contains(e.Message, tt.msg) {
				t.Errorf("%+v, want %s: %s", err, tt.param, tt.msg)
			}
		})
	}
}

func TestRequestEncode(t *testing.T) {
	tests := []struct {
		name string
		req  EmbeddingsRequest
		want string
	}{
		{"least", EmbeddingsRequest{Model: "m", Input: []string{"<a & b>"}}, `{"model":"m","input":["<a & b>"]}`},
		{"tokens", EmbeddingsRequest{Tokens: [][]int{{1, 2}}}, `{"input":[[1,2]]}`},
		{
			"all",
			EmbeddingsRequest{Model: "m", Input: []string{"a"}, Encoding: Base64, Dimensions: 3, User: "u"},
			`{"model":"m","input":["a"],"encoding_format":"base64","dimensions":3,"user":"u"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.req.Encode()
			if err != nil || strings.TrimSpace(string(got)) != tt.want {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
			back, err := DecodeEmbeddingsRequest(got, Limits{Items: 1, Values: 3, Tokens: 2})
			if err != nil || !reflect.DeepEqual(back, tt.req) {
				t.Errorf("read back %+v, %v", back, err)
			}
		})
	}
}

func TestTokensAreRefusedUnlessAllowed(t *testing.T) {
	for _, body := range []string{`{"input":[1]}`, `{"input":[[1]]}`} {
		_, err := DecodeEmbeddingsRequest([]byte(body), Limits{Items: 3, Values: 8})
		var e *Error
		if !errors.As(err, &e) || e.Param != "input" || !strings.Contains(e.Message, "not read here") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzDecodeEmbeddingsRequest: what is taken is JSON, means the same to
// encoding/json, keeps to the limits, and is read back as it was written.
func FuzzDecodeEmbeddingsRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":["a","\u00e9"],"encoding_format":"base64","dimensions":4,"user":"u"}`))
	f.Add([]byte(`{"input":"a"}`))
	f.Add([]byte(`{"input":[[1],[2,0]],"x":{"input":[1.5,-1e9]}}`))
	f.Add([]byte(`{"input":[1,2,100256],"dimensions":null}`))
	f.Add([]byte(`{"input":["a",1]}`))
	f.Add([]byte(`{"input":[0E0,2.0]}`))
	f.Add([]byte(`{"input":[[3e1],[1.5e0]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		limit := Limits{Items: 4, Values: 8, Tokens: 6}
		got, err := DecodeEmbeddingsRequest(body, limit)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		total := 0
		for _, ids := range got.Tokens {
			total += len(ids)
		}
		if n := len(got.Input) + len(got.Tokens); n < 1 || n > limit.Items || got.Dimensions > limit.Values || total > limit.Tokens ||
			(got.Input != nil) == (got.Tokens != nil) {
			t.Fatalf("%+v", got)
		}
		if !json.Valid(body) {
			t.Fatalf("%q was taken and is not JSON", body)
		}
		sameInput(t, body, got)
		again, err := got.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEmbeddingsRequest(again, limit)
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("%+v, %v, want %+v", back, err, got)
		}
	})
}

// sameInput compares with what encoding/json makes of the input.
func sameInput(t *testing.T, body []byte, got EmbeddingsRequest) {
	t.Helper()
	var members map[string]json.RawMessage // its keys are exact
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	var one string
	var texts []string
	var flat []float64 // 2e0 is whole, and nothing that encoding/json reads into an int
	var lists [][]float64
	want := EmbeddingsRequest{}
	switch raw := members["input"]; {
	case json.Unmarshal(raw, &one) == nil:
		want.Input = []string{one}
	case json.Unmarshal(raw, &texts) == nil:
		want.Input = texts
	case json.Unmarshal(raw, &flat) == nil:
		want.Tokens = [][]int{ids(t, flat)}
	case json.Unmarshal(raw, &lists) == nil:
		for _, list := range lists {
			want.Tokens = append(want.Tokens, ids(t, list))
		}
	default:
		t.Fatalf("%s was taken", raw)
	}
	if !reflect.DeepEqual(got.Input, want.Input) || !reflect.DeepEqual(got.Tokens, want.Tokens) {
		t.Fatalf("%q %v, want %q %v", got.Input, got.Tokens, want.Input, want.Tokens)
	}
}

// ids are the numbers, all of which must be whole.
func ids(t *testing.T, numbers []float64) []int {
	t.Helper()
	list := make([]int, len(numbers))
	for i, n := range numbers {
		if list[i] = int(n); float64(list[i]) != n {
			t.Fatalf("%v was taken for a token", n)
		}
	}
	return list
}
