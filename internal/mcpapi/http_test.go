package mcpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// scripted is a library whose questions are answered by a function.
type scripted struct {
	Library
	retrieve func(ctx context.Context) (*rag.Response, error)
}

func (s scripted) Retrieve(ctx context.Context, _ rag.User, _ rag.Request) (*rag.Response, error) {
	return s.retrieve(ctx)
}

const question = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"retrieve","arguments":{"query":"q"}}}`

func post(ctx context.Context, t *testing.T, url, body string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("X-User-ID", "ann")
	return http.DefaultClient.Do(r)
}

func answer(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := post(t.Context(), t, url, body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// The SDK's context neither has a deadline nor ends with the request: ours
// must.
func TestWorkEndsWhenTheCallerLeaves(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	s := listen(t, newDoor(t, Config{}, scripted{retrieve: func(ctx context.Context) (*rag.Response, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}}))
	ctx, leave := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		resp, err := post(ctx, t, s.URL, question)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-begun
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work ended with %v", err)
	}
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
}

// A deadline of the request is the call's own, and its passing is answered.
func TestDeadlineOfTheRequestIsAnswered(t *testing.T) {
	d := newDoor(t, Config{}, scripted{retrieve: func(ctx context.Context) (*rag.Response, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the call has no deadline, so it cannot divide it among its parts")
		}
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("it ended with %v", ctx.Err())
		}
		return nil, rag.Errorf(rag.Timeout, "no answer was ready by the deadline")
	}})
	for range 20 { // which of two ends comes first must not matter
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/mcp", strings.NewReader(question))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		w := httptest.NewRecorder()
		d.ServeUser(w, r, "ann")
		cancel()
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `\"timeout\"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	log := &strings.Builder{}
	s := listen(t, newDoor(t, Config{Log: newLogger(log)}, scripted{retrieve: func(context.Context) (*rag.Response, error) { panic("secret") }}))
	for range 2 {
		status, body := answer(t, s.URL, question)
		if status != http.StatusOK || !strings.Contains(body, `"isError":true`) || !strings.Contains(body, `\"internal\"`) || strings.Contains(body, "secret") {
			t.Errorf("%d %s", status, body)
		}
	}
	// The resources have no tool around them.
	if status, body := answer(t, s.URL, `{"jsonrpc":"2.0","id":1,"method":"resources/list","params":{}}`); status != http.StatusOK || !strings.Contains(body, "-32603") {
		t.Errorf("%d %s", status, body)
	}
	s.Close()
	if n := strings.Count(log.String(), "panic: secret"); n != 2 {
		t.Errorf("the log has it %d times:\n%s", n, log)
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	s := listen(t, newDoor(t, Config{}, scripted{}))
	tests := []struct {
		name, body string
		status     int
		says       string
	}{
		{"nothing", ``, 400, "-32700"},
		{"not JSON", `{"jsonrpc"`, 400, "-32700"},
		{"two messages", question + question, 400, "-32700"},
		{"a batch", `[` + question + `,` + question + `]`, 400, "not a batch"},
		{"an empty batch", ` []`, 400, "not a batch"},
		{"a string", `"tools/call"`, 400, "-32600"},
		{"too deep", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), 400, "-32700"},
		{"deep arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve","arguments":{"query":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}}`, 400, "depth"},
		{"too long", `{"a":"` + strings.Repeat("x", MaxMessageBytes) + `"}`, 413, "-32600"},
		{"no such method", `{"jsonrpc":"2.0","id":1,"method":"tools/eat","params":{}}`, 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found: \"tools/eat\""}}`},
		{"a notification that nobody knows", `{"jsonrpc":"2.0","method":"notifications/eaten"}`, 202, ""},
		{"no version", `{"id":1,"method":"tools/list"}`, 400, `"id":1,"error":{"code":-32600,`},
		{"no params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, 400, `"id":1,"error":{"code":-32600,`},
		{"a call without an id", `{"jsonrpc":"2.0","method":"tools/list"}`, 400, `"id":null,"error":{"code":-32600,`},
		{"null params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}`, 200, "-32600"},
		{"listed params", `{"jsonrpc":"2.0","id":"x","method":"ping","params":[]}`, 400, `"id":"x"`},
		{"params of a number", `{"jsonrpc":"2.0","id":1,"method":"ping","params":3}`, 400, "params must be an object"},
		{"a whole id", `{"jsonrpc":"2.0","id":2.0,"method":"ping"}`, 200, `"id":2,"result"`},
		{"half an id", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, 400, `"id":null`},
		{"an id that a float64 rounds", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, 400, `"id":null`},
		{"an id of true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, 400, `"id":null`},
		{"a listener", `{"jsonrpc":"2.0","id":"x","method":"subscriptions/listen","params":{}}`, 404, `"id":"x"`},
		{"subscribe", `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"weir://documents/x"}}`, 200, `"error"`},
		{"an answer to nothing", `{"jsonrpc":"2.0","id":1,"result":{}}`, 202, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := answer(t, s.URL, tt.body)
			if len(body) > 300 {
				body = body[:300]
			}
			if status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

// noting is a library that keeps what it was asked.
type noting struct {
	Library
	asked chan rag.Request
}

func (n noting) Retrieve(_ context.Context, _ rag.User, r rag.Request) (*rag.Response, error) {
	n.asked <- r
	return &rag.Response{}, nil
}

// To the schema of an argument 2.0 is a whole number, and writers whose numbers
// are all of one kind write that.
func TestWholeNumbersAsTheSchemaHasThem(t *testing.T) {
	asked := make(chan rag.Request, 1)
	s := listen(t, newDoor(t, Config{}, noting{asked: asked}))
	status, body := answer(t, s.URL, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve",
		"arguments":{"query":"a < b","max_chunks":2.0,"neighbors":1e0,"similarity_threshold":0.5,"token_budget":null}}}`)
	if status != http.StatusOK || strings.Contains(body, "isError") {
		t.Fatalf("%d %s", status, body)
	}
	r := <-asked
	if r.Query != "a < b" || r.MaxChunks == nil || *r.MaxChunks != 2 || r.Neighbors != 1 || *r.SimilarityThreshold != 0.5 || r.TokenBudget != nil {
		t.Errorf("asked %+v", r)
	}
}

// Clients made by others take no list of tools in which a schema is of anything
// but an object, though the SDK's own client does.
func TestSchemasOfToolsAreObjects(t *testing.T) {
	s := listen(t, newDoor(t, Config{}, scripted{}))
	_, body := answer(t, s.URL, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	var got struct {
		Result struct {
			Tools []struct {
				Name                      string
				InputSchema, OutputSchema struct{ Type any }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Result.Tools) != 4 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, tool := range got.Result.Tools {
		if tool.InputSchema.Type != "object" || tool.OutputSchema.Type != "object" {
			t.Errorf("%s: its arguments are of type %v, its output of type %v", tool.Name, tool.InputSchema.Type, tool.OutputSchema.Type)
		}
	}
}
