package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

func TestRetrieve(t *testing.T) {
	s := &shelf{}
	s.put(defaultUser, "a.txt", "the brown fox <b>", rag.Ready)
	s.put("ann", "b.txt", "the brown hen", rag.Ready)
	h := newDoor(Config{}, newService(t, rag.Config{}, s))
	for _, tt := range []struct {
		name, user, body string
		want             []string // filenames
		empty            string
	}{
		{"found", "", `{"query":"brown"}`, []string{"a.txt"}, ""},
		{"of another user", "ann", `{"query":"brown"}`, []string{"b.txt"}, ""},
		{"user without documents", "Zoë", `{"query":"brown"}`, nil, "no_documents"},
		{"no match", "", `{"query":"cow"}`, nil, "no_match"},
		{"nulls are defaults", "", ` {"query":"brown","max_chunks":null,"embedding":null,"mode":"lexical"} `, []string{"a.txt"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(tt.body), "Content-Type", "application/json; charset=UTF-8")
			if tt.user != "" {
				r.Header.Set("X-User-ID", tt.user)
			}
			got := ask(t, h, r)
			if got.status != 200 || got.header.Get("Content-Type") != contentJSON {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			var files []string
			resp := decode[rag.Response](t, got)
			for _, c := range resp.Chunks {
				files = append(files, c.Filename)
			}
			if !slices.Equal(files, tt.want) {
				t.Errorf("files %q, want %q", files, tt.want)
			}
			raw := decode[map[string]any](t, got)
			if reason, there := raw["empty_reason"]; there != (tt.empty != "") || there && reason != tt.empty {
				t.Errorf("empty_reason %v, want %q", reason, tt.empty)
			}
			if _, there := raw["degraded"]; there {
				t.Error("degraded is there in a whole answer")
			}
			chunks, ok := raw["chunks"].([]any)
			if !ok {
				t.Fatalf("chunks is %v, want a list", raw["chunks"])
			}
			for _, c := range chunks {
				c, _ := c.(map[string]any)
				if path, ok := c["section_path"].([]any); !ok || len(path) != 0 {
					t.Errorf("section_path of a passage outside sections is %v, want []", c["section_path"])
				}
				for _, name := range []string{"section_title", "page_start", "page_end", "similarity"} {
					if v, there := c[name]; !there || v != nil {
						t.Errorf("%s is %v (there: %t), want null", name, v, there)
					}
				}
			}
			if id := got.header.Get("X-Operation-Id"); id == "" || id != resp.OperationID {
				t.Errorf("X-Operation-Id %q, operation_id %q", id, resp.OperationID)
			}
			if strings.Contains(string(got.body), `\u003c`) {
				t.Error("text is escaped as for a script in HTML")
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	h := newDoor(Config{}, newService(t, rag.Config{}, &shelf{}))
	for _, target := range []string{"/healthz", "/v1/documents", "/nowhere"} {
		got := ask(t, h, request(t, http.MethodGet, target, nil))
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Access-Control-Allow-Origin": "", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if v := got.header.Get(name); v != want {
				t.Errorf("%s: %s = %q, want %q", target, name, v, want)
			}
		}
	}
}

func TestLocalCallers(t *testing.T) {
	h := newDoor(Config{Hosts: []string{"weir.internal"}}, newService(t, rag.Config{}, &shelf{}))
	for _, tt := range []struct {
		host    string
		headers []string
	}{
		{"localhost", nil},
		{"LOCALHOST:8080", nil},
		{"localhost.:8080", nil},
		{"weir.localhost", nil},
		{"127.0.0.1:8080", nil},
		{"127.9.9.9", nil},
		{"[::1]:8080", nil},
		{"[::1]", nil},
		{"[::ffff:127.0.0.1]:1", nil},
		{"weir.internal:80", nil},
		{"localhost:8080", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8080"}},
		{"localhost:8080", []string{"Sec-Fetch-Site", "none"}},
		{"localhost:8080", []string{"Origin", "http://localhost:8080"}},
	} {
		t.Run(tt.host, func(t *testing.T) {
			r := request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(`{"query":"a"}`), append(tt.headers, "Content-Type", contentJSON)...)
			r.Host = tt.host
			if got := ask(t, h, r); got.status != 200 {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	kind, form := formOf(t, [3]string{"file", "letters/ünter \"x\".txt", "text"})
	star := strings.Replace(form, `filename="letters/ünter \"x\".txt"`, `filename*=UTF-8''letters%2F%C3%BCnter%20%22x%22.txt`, 1)
	if star == form {
		t.Fatal("the form is not written as this test thinks")
	}
	exact, exactForm := formOf(t, [3]string{"file", "exact.bin", strings.Repeat("\x00", smallFile)})
	const name = `letters/ünter "x".txt`
	for _, tt := range []struct {
		name, query, contentType, body string
		wait                           rag.Status // what the document is when the call comes
		status                         int
		filename                       string
	}{
		{"form", "", kind, form, "", 202, name},
		{"form with encoded name", "", kind, star, "", 202, name},
		{"form of just the limit", "", exact, exactForm, "", 202, "exact.bin"},
		{"text", "?wait=false", contentJSON, `{"filename":"a.md","text":"# A"}`, "", 202, "a.md"},
		{"there already", "", contentJSON, `{"filename":"b.md","text":"old"}`, rag.Queued, 200, "old.md"},
		{"there already, ready", "?wait=true", contentJSON, `{"filename":"b.md","text":"old"}`, rag.Ready, 200, "old.md"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{}
			h := newDoor(Config{MaxFileBytes: smallFile}, newService(t, rag.Config{MaxFileBytes: smallFile}, s))
			post := func(contentType, query, body string) *response {
				return ask(t, h, request(t, http.MethodPost, "/v1/documents"+query, strings.NewReader(body), "Content-Type", contentType))
			}
			if tt.wait != "" {
				first := decode[rag.Document](t, post(contentJSON, "", `{"filename":"old.md","text":"old"}`))
				s.change(first.ID, func(d *rag.Document) { d.Status = tt.wait })
			}
			got := post(tt.contentType, tt.query, tt.body)
			if got.status != tt.status {
				t.Fatalf("status %d, want %d: %s", got.status, tt.status, got.body)
			}
			doc := decode[rag.Document](t, got)
			if doc.Filename != tt.filename {
				t.Errorf("filename %q, want %q", doc.Filename, tt.filename)
			}
			if l := got.header.Get("Location"); l != "/v1/documents/"+doc.ID {
				t.Errorf("Location %q", l)
			}
		})
	}
}

// TestUploadWait changes the document while the upload waits for it.
func TestUploadWait(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*rag.Document) // nil: deleted, or the caller leaves
		status int
		code   rag.Code
		held   string // Status of the document in the answer
	}{
		{"ready", func(d *rag.Document) { d.Status = rag.Ready }, 201, "", "ready"},
		{"deadline", func(d *rag.Document) { d.Status = rag.Embedding }, 202, "", "embedding"},
		{"failed", func(d *rag.Document) {
			d.Status, d.Error = rag.Failed, &rag.DocumentError{Code: rag.UnsupportedMedia, Message: "a.md is a picture"}
		}, 415, rag.UnsupportedMedia, "failed"},
		{"failed, no reason", func(d *rag.Document) { d.Status = rag.Failed }, 500, rag.Internal, "failed"},
		{"canceled", func(d *rag.Document) { d.Status = rag.Cancelled }, 409, rag.Conflict, "canceled"},
		{"deleted", nil, 404, rag.NotFound, ""},
		{"caller leaves", nil, 499, rag.Canceled, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				h := newDoor(Config{}, newService(t, rag.Config{}, s))
				done := make(chan *response)
				began := time.Now()
				r := request(t, http.MethodPost, "/v1/documents?wait=true", strings.NewReader(`{"filename":"a.md","text":"a"}`), "Content-Type", contentJSON)
				ctx, leave := context.WithCancel(r.Context())
				defer leave()
				go func() { done <- ask(t, h, r.WithContext(ctx)) }()
				synctest.Wait()
				if up, st := h.uploads.look().Now, h.streams.look().Now; up != 0 || st != 1 {
					t.Errorf("while it waits: %d uploads, %d streams; want 0 and 1", up, st)
				}
				if tt.status == 499 {
					leave()
				} else if tt.change == nil {
					if err := s.Delete(t.Context(), defaultUser, "doc-1"); err != nil {
						t.Fatal(err)
					}
				} else {
					s.change("doc-1", tt.change)
				}
				got := <-done
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("took %v, more than the deadline", took)
				}
				if got.status != tt.status {
					t.Fatalf("status %d, want %d: %s", got.status, tt.status, got.body)
				}
				if up, st := h.uploads.look().Now, h.streams.look().Now; up != 0 || st != 0 {
					t.Errorf("afterwards: %d uploads, %d streams", up, st)
				}
				var held rag.Document
				if tt.code != "" {
					p := got.problem(t)
					if p.Code != tt.code {
						t.Errorf("code %s, want %s", p.Code, tt.code)
					}
					if p.Document != nil {
						held = *p.Document
					}
				} else {
					held = decode[rag.Document](t, got)
				}
				if string(held.Status) != tt.held {
					t.Errorf("document is %q, want %q", held.Status, tt.held)
				}
			})
		})
	}
}

func TestDocuments(t *testing.T) {
	s := &shelf{}
	for _, name := range []string{"a.txt", "b.pdf", "c.txt"} {
		s.put(defaultUser, name, name, rag.Ready)
	}
	s.put("ann", "d.txt", "d", rag.Queued)
	h := newDoor(Config{}, newService(t, rag.Config{}, s))
	get := func(target string, headers ...string) *response {
		return ask(t, h, request(t, http.MethodGet, target, nil, headers...))
	}
	for _, tt := range []struct {
		name, target, user string
		want               []string
		next               bool
	}{
		{"all", "/v1/documents", "default", []string{"c.txt", "b.pdf", "a.txt"}, false},
		{"first page", "/v1/documents?limit=2", "default", []string{"c.txt", "b.pdf"}, true},
		{"next page", "/v1/documents?limit=2&cursor=doc-2", "default", []string{"a.txt"}, false},
		{"by name", "/v1/documents?filename=txt&status=ready", "default", []string{"c.txt", "a.txt"}, false},
		{"by status", "/v1/documents?status=failed", "default", nil, false},
		{"of another user", "/v1/documents", "ann", []string{"d.txt"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := get(tt.target, "X-User-ID", tt.user)
			list := decode[DocumentList](t, got)
			var names []string
			for _, d := range list.Documents {
				names = append(names, d.Filename)
			}
			if !slices.Equal(names, tt.want) || (list.NextCursor != "") != tt.next {
				t.Errorf("got %q, next %q; want %q, next %t", names, list.NextCursor, tt.want, tt.next)
			}
			if list.Documents == nil {
				t.Error("an empty list is null")
			}
		})
	}
	if doc := decode[rag.Document](t, get("/v1/documents/doc-2")); doc.Filename != "b.pdf" {
		t.Errorf("document is %+v", doc)
	}
	if got := decode[PassageList](t, get("/v1/documents/doc-2/passages?first=0&limit=1")); len(got.Passages) != 1 || got.Passages[0].Content != "b.pdf" {
		t.Errorf("passages: %+v", got)
	}
	for target, want := range map[string]int{
		"/v1/documents/doc-4/passages":           404, // of another user
		"/v1/documents/doc-2/passages?first=-1":  400,
		"/v1/documents/doc-2/passages?first=1e9": 400,
		"/v1/documents/doc-2/passages?limit=101": 400,
		"/v1/documents/doc-2/passages?last=1":    400,
	} {
		if got := get(target); got.status != want {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	if got := get("/v1/documents/doc-4/passages", "X-User-ID", "ann"); got.status != 200 || !strings.Contains(string(got.body), `"passages":[]`) {
		t.Errorf("passages of a document that is not ready: %d %s", got.status, got.body)
	}
	if got := ask(t, h, request(t, http.MethodPost, "/v1/documents/doc-4/cancel", nil, "X-User-ID", "ann")); decode[rag.Document](t, got).Status != rag.Cancelled {
		t.Errorf("cancel: %d %s", got.status, got.body)
	}
	if got := ask(t, h, request(t, http.MethodDelete, "/v1/documents/doc-2", nil)); got.status != 204 || len(got.body) != 0 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	if got := get("/v1/documents/doc-2"); got.status != 404 {
		t.Errorf("after delete: %d", got.status)
	}
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		h := newDoor(Config{Version: "1.2.3", MaxRequests: 7, MaxUploads: 3, MaxStreams: 5}, newService(t, rag.Config{MaxInFlight: 9}, s))
		asked := make(chan struct{})
		s.setHook(func(ctx context.Context, op string) error {
			if op == "candidates" {
				close(asked)
				<-ctx.Done()
			}
			return ctx.Err()
		})
		r := request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(`{"query":"the secret question"}`), "Content-Type", contentJSON)
		ctx, leave := context.WithCancel(r.Context())
		done := make(chan *response)
		go func() { done <- ask(t, h, r.WithContext(ctx)) }()
		<-asked
		pass(2 * time.Second)
		got := ask(t, h, request(t, http.MethodGet, "/v1/status", nil))
		st := decode[Status](t, got)
		if st.Version != "1.2.3" || st.UptimeMS != 2000 || st.MaxInFlight != 9 || st.Queued != 1 || st.Working != 2 {
			t.Errorf("status %s", got.body)
		}
		if (st.Requests != Lane{1, 7}) || (st.Uploads != Lane{0, 3}) || (st.Streams != Lane{0, 5}) {
			t.Errorf("lanes %s", got.body)
		}
		if len(st.InFlight) != 1 || st.InFlight[0].Operation != "retrieve" || st.InFlight[0].AgeMS != 2000 || st.InFlight[0].LeftMS != 8000 {
			t.Errorf("in flight: %s", got.body)
		}
		if strings.Contains(string(got.body), "secret") {
			t.Errorf("a question is in the status: %s", got.body)
		}
		leave()
		if got := <-done; got.status != 499 {
			t.Errorf("the caller that left got %d", got.status)
		}
	})
}

func TestStatusSurvivesTheWire(t *testing.T) {
	b, err := json.Marshal(Status{Activity: rag.Activity{MaxInFlight: 4, TimeoutMS: 5}, Version: "v", Draining: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"max_in_flight":4`) || !strings.Contains(string(b), `"draining":true`) {
		t.Errorf("got %s", b)
	}
}
