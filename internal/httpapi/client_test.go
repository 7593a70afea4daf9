package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// TestClient goes the whole way of a document by the client.
func TestClient(t *testing.T) {
	h := newHouse(t, Config{Version: "9"}, rag.Config{})
	c := h.client(t)
	const user = rag.User("Zoë & sons, Ltd.")
	ctx := t.Context()
	const name = "a/b \"c\" — 中文.txt"
	doc, created, err := c.Upload(ctx, user, rag.NewDocument{Filename: name, Content: []byte("brown\r\nfox\x00"), Replace: true})
	if err != nil || !created || doc.Filename != name || doc.Bytes != 11 {
		t.Fatalf("Upload: %+v, %t, %v", doc, created, err)
	}
	if again, created, err := c.Upload(ctx, user, rag.NewDocument{Filename: "x", Content: []byte("brown\r\nfox\x00")}); err != nil || created || again.ID != doc.ID {
		t.Errorf("the same again: %+v, %t, %v", again, created, err)
	}
	var seen []rag.Status
	err = c.Watch(ctx, user, doc.ID, func(d rag.Document) error {
		seen = append(seen, d.Status)
		h.shelf.change(doc.ID, func(d *rag.Document) {
			d.Status = map[rag.Status]rag.Status{rag.Queued: rag.Parsing, rag.Parsing: rag.Ready, rag.Ready: rag.Ready}[d.Status]
		})
		return nil
	})
	if err != nil || !slices.Equal(seen, []rag.Status{rag.Queued, rag.Parsing, rag.Ready}) {
		t.Errorf("Watch: %v, %v", seen, err)
	}
	if d, err := c.Wait(ctx, user, doc.ID); err != nil || d.Status != rag.Ready {
		t.Errorf("Wait: %+v, %v", d, err)
	}
	resp, err := c.Retrieve(ctx, user, rag.Request{Query: "brown"})
	if err != nil || len(resp.Chunks) != 1 || resp.Chunks[0].Content != "brown\r\nfox\x00" || resp.OperationID == "" {
		t.Errorf("Retrieve: %+v, %v", resp, err)
	}
	if docs, next, err := c.Documents(ctx, user, rag.Page{Limit: 5, Status: rag.Ready, Filename: "中"}); err != nil || len(docs) != 1 || next != "" {
		t.Errorf("Documents: %+v, %q, %v", docs, next, err)
	}
	if _, err := c.Cancel(ctx, user, doc.ID); rag.CodeOf(err) != rag.Conflict {
		t.Errorf("Cancel: %v", err)
	}
	if st, err := c.Status(ctx); err != nil || st.Version != "9" || st.Model != nil {
		t.Errorf("Status: %+v, %v", st, err)
	}
	if err := c.Delete(ctx, user, doc.ID); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, err := c.Document(ctx, user, doc.ID); rag.CodeOf(err) != rag.NotFound {
		t.Errorf("Document after Delete: %v", err)
	}
}

func TestClientErrors(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{})
	c := h.client(t)
	id := h.shelf.put("ann", "a.txt", "a", rag.Queued)
	stop := errors.New("enough")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	threshold := 3.0
	for _, tt := range []struct {
		name  string
		do    func() error
		code  rag.Code
		field string
	}{
		{"field", func() error {
			_, err := c.Retrieve(t.Context(), "ann", rag.Request{Query: "a", SimilarityThreshold: &threshold})
			return err
		}, rag.Invalid, "similarity_threshold"},
		{"not there", func() error { return c.Delete(t.Context(), "ann", "a/../b") }, rag.NotFound, ""},
		{"no id", func() error { return c.Delete(t.Context(), "ann", "") }, rag.NotFound, ""},
		{"dots", func() error { return c.Delete(t.Context(), "ann", "..") }, rag.NotFound, ""},
		{"user with a space", func() error { return c.Delete(t.Context(), " ann", id) }, rag.Invalid, "user"},
		{"stream of nothing", func() error { return c.Watch(t.Context(), "ann", "x", nil) }, rag.NotFound, ""},
		{"given up", func() error { _, err := c.Document(ctx, "ann", id); return err }, rag.Canceled, ""},
		{"empty upload", func() error {
			_, _, err := c.Upload(t.Context(), "ann", rag.NewDocument{Filename: "a"})
			return err
		}, rag.Invalid, "file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do()
			var e *rag.Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Field != tt.field {
				t.Errorf("got %v, want %s of %q", err, tt.code, tt.field)
			}
		})
	}
	if err := c.Watch(t.Context(), "ann", id, func(rag.Document) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Watch gave %v", err)
	}
	if _, err := NewClient(ClientConfig{BaseURL: "localhost:8080"}); rag.CodeOf(err) != rag.Invalid {
		t.Errorf("NewClient: %v", err)
	}
}

// TestClientAgainstStrangers meets servers that are not Weir's.
func TestClientAgainstStrangers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		code    rag.Code
	}{
		{"a web page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, rag.Unavailable},
		{"a page that is not there", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, rag.Unavailable},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, rag.Unavailable},
		{"an empty stream", func(http.ResponseWriter, *http.Request) {}, rag.Unavailable},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, rag.Unavailable},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("event: progress\ndata: {"))
			panic(http.ErrAbortHandler)
		}, rag.Unavailable},
		{"another stream", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("event: progress\ndata: [1]\n\n"))
		}, rag.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			c, err := NewClient(ClientConfig{BaseURL: srv.URL, Silence: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Watch(t.Context(), "ann", "a", func(rag.Document) error { return nil }); rag.CodeOf(err) != tt.code {
				t.Errorf("Watch: %v", err)
			}
		})
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	c, err := NewClient(ClientConfig{BaseURL: silent.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Document(t.Context(), "ann", "a"); rag.CodeOf(err) != rag.Timeout {
		t.Errorf("Document: %v", err)
	}
}

// roundTrip is a server in a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSilence: a stream may last, as long as it is not silent.
func TestSilence(t *testing.T) {
	for _, tt := range []struct {
		name  string
		beats int
		code  rag.Code
	}{
		{"heartbeats", 100, ""},
		{"then silence", 2, rag.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := NewClient(ClientConfig{BaseURL: "http://localhost"})
				if err != nil {
					t.Fatal(err)
				}
				body, server := io.Pipe()
				c.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					context.AfterFunc(r.Context(), func() { server.CloseWithError(r.Context().Err()) })
					return &http.Response{StatusCode: 200, Body: body}, nil
				})
				go func() {
					for range tt.beats {
						pass(heartbeat)
						_, _ = io.WriteString(server, ": still here\n\n")
					}
					if tt.code == "" {
						_, _ = io.WriteString(server, "event: done\ndata: {\"id\":\"doc-1\",\"status\":\"ready\"}\n\n")
					}
				}()
				doc, err := c.Wait(t.Context(), "ann", "doc-1")
				if rag.CodeOf(err) != tt.code || tt.code == "" && doc.Status != rag.Ready {
					t.Errorf("got %+v, %v", doc, err)
				}
			})
		})
	}
}

// keyed asks for a key. It may ask and read with "reader", and do all with "right".
type keyed struct{}

func (keyed) Admit(_ context.Context, r *http.Request, asked rag.User) (rag.Caller, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer right":
		return rag.Caller{User: asked, Rights: rag.AllRights}, nil
	case "Bearer reader":
		return rag.Caller{User: asked, Rights: rag.MayRead}, nil
	default:
		return rag.Caller{}, rag.Errorf(rag.Unauthorized, "no")
	}
}

func (keyed) Hold(ctx context.Context, _ rag.Caller) (context.Context, func()) {
	return ctx, func() {}
}

func (keyed) Ready() error { return nil }
func (keyed) Look() any    { return nil }

// TestClientWithAKey: what a server says of a key reaches the caller of each
// method as the error that it is.
func TestClientWithAKey(t *testing.T) {
	h := newHouse(t, Config{Gate: keyed{}, Limit: doorman{}}, rag.Config{})
	id := h.shelf.put("ann", "a.txt", "brown fox", rag.Ready)
	ctx := t.Context()
	calls := map[string]func(*Client, rag.User) error{
		"retrieve": func(c *Client, u rag.User) error {
			_, err := c.Retrieve(ctx, u, rag.Request{Query: "brown"})
			return err
		},
		"ask": func(c *Client, u rag.User) error {
			_, err := c.Ask(ctx, u, rag.AskRequest{Request: rag.Request{Query: "brown"}}, nil)
			return err
		},
		"ask, streamed": func(c *Client, u rag.User) error {
			_, err := c.Ask(ctx, u, rag.AskRequest{Request: rag.Request{Query: "brown"}}, func(rag.AskEvent) error { return nil })
			return err
		},
		"documents": func(c *Client, u rag.User) error { _, _, err := c.Documents(ctx, u, rag.Page{}); return err },
		"passages":  func(c *Client, u rag.User) error { _, _, err := c.Passages(ctx, u, id, 0, 0); return err },
		"wait":      func(c *Client, u rag.User) error { _, err := c.Wait(ctx, u, id); return err },
		"upload": func(c *Client, u rag.User) error {
			_, _, err := c.Upload(ctx, u, rag.NewDocument{Filename: "b.txt", Content: []byte("b")})
			return err
		},
	}
	for _, tt := range []struct {
		name, key string
		user      rag.User
		want      rag.Code
		upload    rag.Code
	}{
		{"the right key", "right", "ann", "", ""},
		{"no key", "", "ann", rag.Unauthorized, rag.Unauthorized},
		{"a wrong key", "wrong", "ann", rag.Unauthorized, rag.Unauthorized},
		{"a key that may read", "reader", "ann", "", rag.Forbidden},
		{"too many calls", "right", "busy", rag.RateLimited, rag.RateLimited},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewClient(ClientConfig{BaseURL: "http://" + h.Addr(), Key: tt.key})
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range calls {
				want := tt.want
				if name == "upload" {
					want = tt.upload
				}
				err := call(c, tt.user)
				if rag.CodeOf(err) != want {
					t.Errorf("%s: %v, want %q", name, err, want)
				}
				var e *rag.Error
				if want == rag.RateLimited && (!errors.As(err, &e) || e.RetryAfter != time.Second) {
					t.Errorf("%s: when to try again was lost: %v", name, err)
				}
			}
		})
	}
}

func FuzzRetrieveJSON(f *testing.F) {
	for _, s := range []string{
		`{"query":"a"}`, `{"embedding":[1,2.5,-3e2],"max_chunks":7,"document_ids":["a"]}`, `{}`, `null`, `[]`, `{"query":`,
		`{"query":"a","query":"b"}`, `{"Query":"a"}`, `{"query":{"a":[[]]}}`, `{"query":"\ud800"}`, "\xef\xbb\xbf{}", `{"neighbors":1e3}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzDecode[rag.Request](t, body) })
}

func FuzzDocumentJSON(f *testing.F) {
	for _, s := range []string{`{"filename":"a","text":"b"}`, `{"text":"\u0000"}`, `{"filename":null}`, `{"text":["a"]}`, `{"filename":"a","text":"b"}x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzDecode[textDocument](t, body) })
}

// fuzzDecode holds that what is taken is what encoding/json would take too, to
// the same value, but for how whole numbers are written, and that each refusal
// is one the caller can act on.
func fuzzDecode[T any](t *testing.T, body []byte) {
	t.Helper()
	var got, want T
	if err := decodeStrict(body, &got); err != nil {
		if code := rag.CodeOf(err); code != rag.Invalid {
			t.Errorf("%q: code %s", body, code)
		}
		var e *rag.Error
		if errors.As(err, &e) && len(e.Msg) > 1000 {
			t.Errorf("%q: a message of %d bytes", body, len(e.Msg))
		}
		return
	}
	if err := json.Unmarshal(plainWholes(body), &want); err != nil {
		t.Fatalf("%q was taken; encoding/json says %v", body, err)
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%q: %s (%v) and %s (%v)", body, a, errA, b, errB)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%q was taken and is no object: %v", body, err)
	}
	for name := range fields {
		if !slices.Contains(fieldNames(&got), name) {
			t.Errorf("%q: field %q was taken", body, name)
		}
	}
}

// FuzzUpload sends any form: never a panic, and what is refused is refused
// with a 4xx.
func FuzzUpload(f *testing.F) {
	kind, form := formOf(f, [3]string{"file", "a.txt", "text"})
	f.Add(kind, []byte(form))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=file; filename*=utf-8''%ff\r\n\r\n\r\n--x--"))
	f.Add("application/json", []byte(`{"filename":"a","text":"b"}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		h := newDoor(Config{MaxFileBytes: smallFile}, newService(t, rag.Config{MaxFileBytes: smallFile}, &shelf{}))
		r := request(t, http.MethodPost, "/v1/documents", bytes.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		if got := ask(t, h, r); got.status != 202 && (got.status < 400 || got.status > 499) {
			t.Errorf("status %d: %s", got.status, got.body)
		}
	})
}
