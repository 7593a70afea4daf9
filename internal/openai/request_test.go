package openai

import (
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
		{name: "tokens", body: `{"input":[1,2]}`, param: "input", msg: "token numbers"},
		{name: "lists of tokens", body: `{"input":[[1,2]]}`, param: "input", msg: "token numbers"},
		{name: "an object", body: `{"input":{}}`, param: "input", msg: "a string or a list"},
		{name: "a null text", body: `{"input":["a",null]}`, param: "input", msg: "a string or a list"},
		{name: "too many", body: `{"input":["a","b","c","d"]}`, param: "input", msg: "at most 3"},
		{name: "encoding", body: `{"input":"a","encoding_format":"int8"}`, param: "encoding_format", msg: "float or base64"},
		{name: "no dimensions", body: `{"input":"a","dimensions":0}`, param: "dimensions", msg: "from 1 to 8"},
		{name: "many dimensions", body: `{"input":"a","dimensions":9}`, param: "dimensions", msg: "from 1 to 8"},
		{name: "dimensions of a wrong type", body: `{"input":"a","dimensions":"4"}`, param: "dimensions", msg: "wrong type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeEmbeddingsRequest([]byte(tt.body), Limits{Items: 3, Values: 8})
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
			back, err := DecodeEmbeddingsRequest(got, Limits{Items: 1, Values: 3})
			if err != nil || !reflect.DeepEqual(back, tt.req) {
				t.Errorf("read back %+v, %v", back, err)
			}
		})
	}
}

func FuzzDecodeEmbeddingsRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":["a","\u00e9"],"encoding_format":"base64","dimensions":4,"user":"u"}`))
	f.Add([]byte(`{"input":"a"}`))
	f.Add([]byte(`{"input":[[1]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		limit := Limits{Items: 4, Values: 8}
		got, err := DecodeEmbeddingsRequest(body, limit)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T", err)
			}
			return
		}
		if len(got.Input) < 1 || len(got.Input) > limit.Items || got.Dimensions > limit.Values {
			t.Fatalf("%+v", got)
		}
		again, err := got.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEmbeddingsRequest(again, limit)
		if err != nil || len(back.Input) != len(got.Input) {
			t.Fatalf("%+v, %v", back, err)
		}
	})
}
