package mcpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// What is no message is answered, and what comes after it still counts.
func TestStdioSurvivesWhatIsNoMessage(t *testing.T) {
	say := overStdio(t, newDoor(t, Config{}, scripted{}))
	say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, true)
	say(`{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}`, false)
	tests := []struct{ name, line, want string }{
		{"not JSON", `oops`, `"id":null,"error":{"code":-32700`},
		{"half of it", `{"jsonrpc":"2.0",`, `-32700`},
		{"two in a line", `{"jsonrpc":"2.0","id":1,"method":"ping"} {}`, `-32700`},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, `not a batch`},
		{"an object of another kind", `{"id":4,"hello":1}`, `"id":4,"error":{"code":-32600`},
		{"a method in other case", `{"jsonrpc":"2.0","id":8,"Method":"ping"}`, `"id":8,"error":{"code":-32600`},
		{"an odd id", `{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, `"id":null,"error":{"code":-32600`},
		{"an id of true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, `"id":null,"error":{"code":-32600`},
		{"half an id", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, `"id":1.5,"error":{"code":-32600`},
		{"too deep", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), `-32700`},
		{"too long", strings.Repeat("x", MaxMessageBytes+1), `longer than 8 MiB`},
		{"unknown method", `{"jsonrpc":"2.0","id":5,"method":"tools/eat","params":{}}`, `"id":5,"error":{"code":-32601`},
		{"a listener", `{"jsonrpc":"2.0","id":6,"method":"subscriptions/listen","params":{}}`, `"id":6,"error"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := say(tt.line, true); !strings.Contains(got, tt.want) {
				t.Errorf("got %s", got)
			}
			if got := say("\r\n"+`{"jsonrpc":"2.0","id":9,"method":"ping"}`+"\r", true); got != `{"jsonrpc":"2.0","id":9,"result":{}}` {
				t.Errorf("after it: %s", got)
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "\n", question + "\n" + question, "oops\n{}\n[", `{"jsonrpc":"2.0","id":1,"result":1}` + "\r\n", "{\"id\":[\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var out bytes.Buffer
		got, err := io.ReadAll(newLines(io.NopCloser(bytes.NewReader(input)), &out))
		if err != nil {
			t.Fatal(err)
		}
		passed, answered := strings.Split(string(got), "\n"), strings.Split(out.String(), "\n")
		said := 0
		for _, line := range strings.Split(string(input), "\n") {
			if len(bytes.TrimSpace([]byte(line))) > 0 {
				said++
			}
		}
		if n := len(passed) - 1 + len(answered) - 1; n != said {
			t.Errorf("%d lines became %d", said, n)
		}
		for _, line := range append(passed[:len(passed)-1], answered[:len(answered)-1]...) {
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %q", line)
			}
		}
	})
}
