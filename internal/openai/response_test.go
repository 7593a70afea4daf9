package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDecodeEmbeddings(t *testing.T) {
	const b64 = "AACAPwAAAMA=" // 1, -2 as little-endian float32
	ok := []float32{1, -2}
	tests := []struct {
		name string
		body string
		want []Embedding // Err: any, if not nil
	}{
		{"floats", `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2.0]}],"model":"m"}`, []Embedding{{0, ok, nil}}},
		{"base64", `{"data":[{"index":0,"embedding":"` + b64 + `"}]}`, []Embedding{{0, ok, nil}}},
		{"base64 without padding", `{"data":[{"index":0,"embedding":"AACAPwAAAMA"}]}`, []Embedding{{0, ok, nil}}},
		{"base64 with escapes", `{"data":[{"index":0,"embedding":"\u0041ACAPwAAAMA="}]}`, []Embedding{{0, ok, nil}}},
		{"escaped key", `{"d\u0061ta":[{"index":0,"embedding":[1,-2]}]}`, []Embedding{{0, ok, nil}}},
		{"white space and additions", "\n{ \"x\" : {\"y\":[null,true,false,{}]} , \"data\" :\t[ { \"index\" : 3 , \"z\":\"\\\"}\", \"embedding\" : [ 1 , -2e0 ] } ] }\r\n", []Embedding{{3, ok, nil}}},
		{"mixed forms, any order", `{"data":[{"embedding":[1,-2],"index":1},{"index":0,"embedding":"` + b64 + `"}]}`, []Embedding{{1, ok, nil}, {0, ok, nil}}},
		{"no index", `{"data":[{"embedding":[1,-2]}]}`, []Embedding{{0, ok, nil}}},
		{"no items", `{"data":[]}`, nil},
		{"error null", `{"error":null,"data":[{"index":0,"embedding":[1,-2]}]}`, []Embedding{{0, ok, nil}}},
		{"usage of a wrong type", `{"usage":[1],"data":[]}`, nil},
		{"null vector beside a good one", `{"data":[{"index":0,"embedding":null},{"index":1,"embedding":[1,-2]}]}`, []Embedding{{0, nil, errNoVector}, {1, ok, nil}}},
		{"vector left out", `{"data":[{"index":0}]}`, []Embedding{{0, nil, errNoVector}}},
		{"NaN in a list", `{"data":[{"index":0,"embedding":[1,NaN,3]},{"index":1,"embedding":[1,-2]}]}`, []Embedding{{0, nil, errNotNumber}, {1, ok, nil}}},
		{"infinities in a list", `{"data":[{"index":0,"embedding":[-Infinity,Infinity]}]}`, []Embedding{{0, nil, errNotNumber}}},
		{"null in a list", `{"data":[{"index":0,"embedding":[1,null]}]}`, []Embedding{{0, nil, errNotNumber}}},
		{"string in a list", `{"data":[{"index":0,"embedding":["1"]}]}`, []Embedding{{0, nil, errNotNumber}}},
		{"nested list", `{"data":[{"index":0,"embedding":[[1,-2]]}]}`, []Embedding{{0, nil, errNotNumber}}},
		{"beyond float32", `{"data":[{"index":0,"embedding":[1e39]}]}`, []Embedding{{0, nil, errNotNumber}}},
		{"object for a vector", `{"data":[{"index":0,"embedding":{"a":1}}]}`, []Embedding{{0, nil, errNotVector}}},
		{"base64 of odd length", `{"data":[{"index":0,"embedding":"AACAPwA="}]}`, []Embedding{{0, nil, errNotVector}}},
		{"not base64", `{"data":[{"index":0,"embedding":"????"}]}`, []Embedding{{0, nil, errors.New("base64")}}},
		{"too many numbers", `{"data":[{"index":0,"embedding":[1,2,3,4,5]}]}`, []Embedding{{0, nil, errTooLong}}},
		{"too much base64", `{"data":[{"index":0,"embedding":"` + strings.Repeat("AAAA", 9) + `"}]}`, []Embedding{{0, nil, errTooLong}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeEmbeddings([]byte(tt.body), Limits{Items: 2, Values: 4})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Data) != len(tt.want) {
				t.Fatalf("%d items, want %d", len(got.Data), len(tt.want))
			}
			for i, want := range tt.want {
				g := got.Data[i]
				if g.Index != want.Index || !slices.Equal(g.Vector, want.Vector) || (g.Err == nil) != (want.Err == nil) {
					t.Errorf("item %d: %+v, want %+v", i, g, want)
				}
				if want.Err != nil && !errors.Is(g.Err, want.Err) && !strings.Contains(g.Err.Error(), want.Err.Error()) {
					t.Errorf("item %d: %v, want %v", i, g.Err, want.Err)
				}
			}
		})
	}
}

func TestDecodeEmbeddingsRefuses(t *testing.T) {
	tests := []struct {
		name, body string
		want       string // part of the error
	}{
		{"nothing", "", "not an object"},
		{"html", "<html>", "not an object"},
		{"a number", "1", "not an object"},
		{"no data", `{"object":"list"}`, "no data"},
		{"data null", `{"data":null}`, "no data"},
		{"data twice", `{"data":[],"data":[]}`, "twice"},
		{"index twice", `{"data":[{"index":0,"index":1}]}`, "twice"},
		{"embedding twice", `{"data":[{"embedding":[1],"embedding":[1]}]}`, "twice"},
		{"an item that is none", `{"data":[null]}`, "not an object"},
		{"data is an object", `{"data":{}}`, "expected"},
		{"fractional index", `{"data":[{"index":0.5}]}`, "counter"},
		{"negative index", `{"data":[{"index":-1}]}`, "counter"},
		{"huge index", `{"data":[{"index":99999999999}]}`, "counter"},
		{"ends early", `{"data":[{"index":0,"embedding":[1,2`, "ends too early"},
		{"ends in a string", `{"data":[{"index":0,"embedding":"AAAA`, "ends too early"},
		{"ends in an escape", `{"data":[{"index":0,"embedding":"\u00`, "ends too early"},
		{"something after", `{"data":[]} x`, "follows"},
		{"leading zero", `{"data":[{"index":0,"embedding":[01]}]}`, "expected"},
		{"hexadecimal", `{"data":[{"index":0,"embedding":[0x1p-2]}]}`, "expected"},
		{"trailing comma", `{"data":[{"index":0,"embedding":[1,]}]}`, "value expected"},
		{"line break in a string", "{\"data\":[{\"embedding\":\"AA\nAA\"}]}", "control character"},
		{"bad escape", `{"data":[{"embedding":"\x"}]}`, "bad escape"},
		{"NaN elsewhere", `{"x":NaN,"data":[]}`, "value expected"},
		{"too many items", `{"data":[{},{},{}]}`, ErrTooMany.Error()},
		{"too deep", `{"x":` + strings.Repeat("[", 100000), "nested deeper"},
		{"error inside", `{"error":{"message":"boom"},"data":[]}`, "boom"},
		{"error as a string", `{"error":"boom"}`, "boom"},
		{"error as a list", `[{"error":{"code":400,"message":"boom"}}]`, "400 boom"},
		{"error without data", `{"object":"error","message":"boom","code":500}`, "500 boom"},
		{"error before garbage", `{"error":{"message":"boom"}`, "ends too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeEmbeddings([]byte(tt.body), Limits{Items: 2, Values: 4})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
			if got.Data != nil {
				t.Errorf("data beside an error: %v", got)
			}
		})
	}
}

func TestEncodeIsRead(t *testing.T) {
	want := Embeddings{
		Model: `m"<é`,
		Data: []Embedding{
			{Index: 1, Vector: []float32{0, -0.1, math.MaxFloat32, math.SmallestNonzeroFloat32, 1e-7}},
			{Index: 0, Vector: []float32{}},
		},
		Usage: Usage{PromptTokens: 3, TotalTokens: 4},
	}
	for _, as := range []Encoding{Float, Base64} {
		body, err := want.Encode(as)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(body) {
			t.Fatalf("%s: not JSON: %s", as, body)
		}
		got, err := DecodeEmbeddings(body, Limits{Items: 2, Values: 5})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Data {
			if !slices.Equal(got.Data[i].Vector, want.Data[i].Vector) || got.Data[i].Index != want.Data[i].Index {
				t.Errorf("%s: item %d: %v, want %v", as, i, got.Data[i], want.Data[i])
			}
		}
		if got.Model != want.Model || got.Usage != want.Usage {
			t.Errorf("%s: %+v, want %+v", as, got, want)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := Embeddings{Data: []Embedding{{Vector: []float32{float32(bad)}}}}
		if _, err := r.Encode(Base64); err == nil {
			t.Errorf("%v was written", bad)
		}
	}
}

func FuzzDecodeEmbeddings(f *testing.F) {
	for _, seed := range []string{
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2.5e-3]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}`,
		`{"data":[{"index":1,"embedding":"AACAPwAAAMA="},{"index":0,"embedding":"AACAPwAAAMA"}]}`,
		`{"data":[{"index":0,"embedding":[1,NaN,-Infinity,null,[1],"x"]}]}`,
		`{"error":{"message":"m","type":"t","param":null,"code":429}}`,
		`[{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}]`,
		`{"detail":[{"loc":["body","input"],"msg":"m"}]}`,
		`{"d\u0061ta":[{"embedding":"\u0041AAA"}],"x":{"y":[true,false,null,{}]}}`,
		`{"data":[{"embedding":""},{"embedding":[]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		limit := Limits{Items: 8, Values: 16}
		got, err := DecodeEmbeddings(body, limit)
		if err != nil {
			if got.Data != nil {
				t.Fatal("data beside an error")
			}
			return
		}
		if len(got.Data) > limit.Items {
			t.Fatalf("%d items", len(got.Data))
		}
		ill := false
		for _, e := range got.Data {
			if len(e.Vector) > limit.Values || (e.Err != nil && e.Vector != nil) || e.Index < 0 {
				t.Fatalf("%+v", e)
			}
			ill = ill || e.Err != nil
		}
		if ill { // it may hold NaN, which encoding/json does not read
			return
		}
		if !json.Valid(body) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		agree(t, body, got)
	})
}

// agree compares with encoding/json, where that matches members by their exact
// case too.
func agree(t *testing.T, body []byte, got Embeddings) {
	t.Helper()
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		t.Fatalf("not an object: %q", body)
	}
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(members["data"], &items); err != nil {
		if len(got.Data) != 0 { // a later "data":null stands for nothing
			return
		}
	}
	if len(items) != len(got.Data) {
		if string(members["data"]) == "null" {
			return
		}
		t.Fatalf("%d items, encoding/json has %d: %q", len(got.Data), len(items), body)
	}
	for i, item := range items {
		var floats []float32
		if json.Unmarshal(item["embedding"], &floats) == nil {
			if !slices.Equal(floats, got.Data[i].Vector) && len(floats)+len(got.Data[i].Vector) > 0 {
				t.Fatalf("item %d: %v, encoding/json has %v", i, got.Data[i].Vector, floats)
			}
		}
		if index, ok := item["index"]; ok {
			var n int
			if json.Unmarshal(index, &n) != nil || n != got.Data[i].Index {
				t.Fatalf("item %d: index %d, want %s", i, got.Data[i].Index, index)
			}
		}
	}
}

// BenchmarkDecode reads an answer of 64 vectors of 1,536 values.
func BenchmarkDecode(b *testing.B) {
	var r Embeddings
	for i := range 64 {
		v := make([]float32, 1536)
		for j := range v {
			v[j] = float32(math.Sin(float64(i*1536+j))) / 28
		}
		r.Data = append(r.Data, Embedding{Index: i, Vector: v})
	}
	for _, as := range []Encoding{Float, Base64} {
		body, err := r.Encode(as)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(as), func(b *testing.B) {
			b.ReportAllocs()
			b.ReportMetric(float64(len(body)), "bytes")
			for b.Loop() {
				if _, err := DecodeEmbeddings(body, Limits{Items: 64, Values: 1536}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(body)), "bytes")
		})
		if as == Float {
			b.Run("float with encoding_json", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var v struct {
						Data []struct {
							Index     int       `json:"index"`
							Embedding []float32 `json:"embedding"`
						} `json:"data"`
					}
					if err := json.Unmarshal(body, &v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestBoundedMemory(t *testing.T) {
	// Two bytes of input for each element, of which none is to be kept.
	for name, body := range map[string]string{
		"items":  `{"data":[` + strings.Repeat("{},", 1<<20) + `{}]}`,
		"values": `{"data":[{"index":0,"embedding":[` + strings.Repeat("0,", 1<<20) + `0]}]}`,
		"error":  `{"error":[` + strings.Repeat("0,", 1<<20) + `0]}`,
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(body)
			allocs := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = DecodeEmbeddings(raw, Limits{Items: 64, Values: 64})
				}
			}).AllocedBytesPerOp()
			if allocs > 64<<10 {
				t.Errorf("%d bytes for an answer that is of no use", allocs)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	v := make([]float32, 1536)
	for i := range v {
		v[i] = float32(i%97-48) / 1913
	}
	answer := Embeddings{Data: make([]Embedding, 256)}
	for i := range answer.Data {
		answer.Data[i] = Embedding{Index: i, Vector: v}
	}
	for _, as := range []Encoding{Float, Base64} {
		b.Run(fmt.Sprintf("256 vectors of 1536 as %s", as), func(b *testing.B) {
			for b.Loop() {
				if _, err := answer.Encode(as); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
