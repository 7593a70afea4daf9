package openai

import (
	"strings"
	"testing"
)

func TestParseError(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   Error
	}{
		{"OpenAI", 429, `{"error":{"message":"m","type":"requests","param":"p","code":"rate_limit_exceeded"}}`, Error{Status: 429, Message: "m", Type: "requests", Param: "p", Code: "rate_limit_exceeded"}},
		{"nulls", 400, `{"error":{"message":"m","type":"t","param":null,"code":null}}`, Error{Status: 400, Message: "m", Type: "t"}},
		{"a string", 404, `{"error":"m"}`, Error{Status: 404, Message: "m"}},
		{"a string and a type", 413, `{"error":"m","error_type":"Validation"}`, Error{Status: 413, Message: "m", Type: "Validation"}},
		{"at the top", 400, `{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}`, Error{Status: 400, Message: "m", Type: "BadRequestError"}},
		{"detail", 422, `{"detail":"m"}`, Error{Status: 422, Message: "m"}},
		{"list of details", 422, `{"detail":[{"loc":["body","input"],"msg":"m","type":"missing"}]}`, Error{Status: 422, Message: "m", Type: "missing", Param: "input"}},
		{"in a list", 400, `[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]}}]`, Error{Status: 400, Message: "m", Code: "API_KEY_INVALID"}},
		{"status from the body", 0, `{"error":{"message":"m","code":429}}`, Error{Status: 429, Message: "m"}},
		{"a code that is no status", 0, `{"error":{"message":"m","code":7}}`, Error{Message: "m"}},
		{"text", 502, " bad gateway\n", Error{Status: 502, Message: "bad gateway"}},
		{"html", 502, "<html><body>502</body></html>", Error{Status: 502}},
		{"broken JSON", 500, `{"error":`, Error{Status: 500}},
		{"nothing", 500, ``, Error{Status: 500}},
		{"null", 500, `null`, Error{Status: 500}},
		{"too long", 500, `{"error":"` + strings.Repeat("x", maxError) + `"}`, Error{Status: 500}},
		{"too deep", 500, `{"error":{"error":{"error":{"error":{"error":{"message":"m"}}}}}}`, Error{Status: 500}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := *ParseError(tt.status, []byte(tt.body))
			got.Structured = false
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestErrorEncodeIsRead(t *testing.T) {
	for _, want := range []Error{
		{Status: 400, Message: "m", Type: "t", Param: "input", Code: "c"},
		{Status: 503, Message: "m \"<é", Type: "t"},
	} {
		body, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got := *ParseError(want.Status, body)
		got.Structured = false
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
