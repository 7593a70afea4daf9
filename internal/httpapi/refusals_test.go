package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

const smallFile = 1000 // MaxFileBytes in these tests

// formOf is a multipart body with parts of name, filename, content.
func formOf(t testing.TB, parts ...[3]string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		create := func() (io.Writer, error) { return w.CreateFormFile(p[0], p[1]) }
		if p[1] == "" {
			create = func() (io.Writer, error) { return w.CreateFormField(p[0]) }
		}
		part, err := create()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, p[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func TestRefusals(t *testing.T) {
	oneFile, oneFileBody := formOf(t, [3]string{"file", "a.txt", "text"})
	twoFiles, twoFilesBody := formOf(t, [3]string{"file", "a.txt", "a"}, [3]string{"file", "b.txt", "b"})
	otherPart, otherPartBody := formOf(t, [3]string{"document", "a.txt", "a"})
	userPart, userPartBody := formOf(t, [3]string{"user", "", "ann"})
	noName, noNameBody := formOf(t, [3]string{"file", "", "a"})
	noParts, noPartsBody := formOf(t)
	bigFile, bigFileBody := formOf(t, [3]string{"file", "big.txt", strings.Repeat("x", smallFile+1)})
	emptyFile, emptyFileBody := formOf(t, [3]string{"file", "a.txt", ""})

	retrieve := func(body string) [4]string { return [4]string{"POST", "/v1/retrieve", contentJSON, body} }
	for _, tt := range []struct {
		name    string
		request [4]string // method, target, Content-Type, body
		headers []string
		status  int
		code    rag.Code
		field   string
		detail  string // a part of it
	}{
		{"no such path", [4]string{"GET", "/v2/retrieve"}, nil, 404, rag.NotFound, "", "/v2/retrieve"},
		{"root", [4]string{"GET", "/"}, nil, 404, rag.NotFound, "", ""},
		{"trailing slash", [4]string{"GET", "/v1/documents/"}, nil, 404, rag.NotFound, "", ""},
		{"unclean path", [4]string{"GET", "/v1//documents"}, nil, 404, rag.NotFound, "", ""},
		{"dots", [4]string{"GET", "/v1/documents/../status"}, nil, 404, rag.NotFound, "", ""},

		{"not JSON by its type", [4]string{"POST", "/v1/retrieve", "text/plain", `{"query":"a"}`}, nil, 415, rag.UnsupportedMedia, "Content-Type", "application/json"},
		{"no type", [4]string{"POST", "/v1/retrieve", "", `{"query":"a"}`}, nil, 415, rag.UnsupportedMedia, "Content-Type", "application/json"},
		{"other charset", [4]string{"POST", "/v1/retrieve", "application/json; charset=latin1", `{"query":"a"}`}, nil, 415, rag.UnsupportedMedia, "Content-Type", ""},
		{"compressed", retrieve(`x`), []string{"Content-Encoding", "gzip"}, 415, rag.UnsupportedMedia, "Content-Encoding", "gzip"},
		{"empty body", retrieve(``), nil, 400, rag.Invalid, "", "empty"},
		{"broken JSON", retrieve(`{"query":`), nil, 400, rag.Invalid, "", "not valid JSON"},
		{"trailing comma", retrieve(`{"query":"a",}`), nil, 400, rag.Invalid, "", "at byte 14"},
		{"not a number", retrieve(`{"query":"a","similarity_threshold":NaN}`), nil, 400, rag.Invalid, "", "not valid JSON"},
		{"two objects", retrieve(`{"query":"a"} {}`), nil, 400, rag.Invalid, "", "after top-level value"},
		{"a list", retrieve(`["a"]`), nil, 400, rag.Invalid, "", "object"},
		{"null", retrieve(`null`), nil, 400, rag.Invalid, "", "object"},
		{"not UTF-8", retrieve("{\"query\":\"\xff\"}"), nil, 400, rag.Invalid, "", "UTF-8"},
		{"unknown field", retrieve(`{"query":"a","top_k":3}`), nil, 400, rag.Invalid, "top_k", "max_chunks"},
		{"other case", retrieve(`{"Query":"a"}`), nil, 400, rag.Invalid, "Query", ""},
		{"user in the body", retrieve(`{"query":"a","user":"ann"}`), nil, 400, rag.Invalid, "user", "X-User-ID"},
		{"field twice", retrieve(`{"query":"a","query":"b"}`), nil, 400, rag.Invalid, "query", "twice"},
		{"wrong type", retrieve(`{"query":7}`), nil, 400, rag.Invalid, "query", "must be a string, not a number"},
		{"list for a word", retrieve(`{"query":[1]}`), nil, 400, rag.Invalid, "query", "must be a string, not a list"},
		{"word for a list", retrieve(`{"query":"a","document_ids":"b"}`), nil, 400, rag.Invalid, "document_ids", "must be a list, not a string"},
		{"truth for a number", retrieve(`{"query":"a","max_chunks":true}`), nil, 400, rag.Invalid, "max_chunks", "must be a whole number, not a boolean"},
		{"number in a list of words", retrieve(`{"query":"a","document_ids":["b",1]}`), nil, 400, rag.Invalid, "document_ids[1]", "must be a string, not a number"},
		{"null in a list", retrieve(`{"embedding":[1,null]}`), nil, 400, rag.Invalid, "embedding[1]", "must not be null"},
		{"half a chunk", retrieve(`{"query":"a","max_chunks":2.5}`), nil, 400, rag.Invalid, "max_chunks", "must be a whole number, not 2.5"},
		{"chunks beyond count", retrieve(`{"query":"a","max_chunks":99999999999999999999}`), nil, 400, rag.Invalid, "max_chunks", "must be a whole number in range, not 99999999999999999999"},
		{"long number", retrieve(`{"query":"a","max_chunks":` + strings.Repeat("9", 100_000) + `}`), nil, 400, rag.Invalid, "max_chunks", "in range"},
		{"number too large", retrieve(`{"embedding":[0,1e999]}`), nil, 400, rag.Invalid, "embedding[1]", "must be a number in range, not 1e999"},
		{"object in a field", retrieve(`{"query":{"a":{}}}`), nil, 400, rag.Invalid, "query", "object"},
		{"deep", retrieve(`{"document_ids":` + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000) + `}`), nil, 400, rag.Invalid, "", ""},
		{"list in a list", retrieve(`{"embedding":[[1]]}`), nil, 400, rag.Invalid, "embedding", "list"},
		{"long body", retrieve(`{"query":"` + strings.Repeat("a", maxJSON) + `"}`), nil, 413, rag.TooLarge, "", "1 MiB (1048576 bytes)"},
		{"no query", retrieve(`{}`), nil, 400, rag.Invalid, "query", "query: is missing; give query or embedding"},
		{"blank query", retrieve(`{"query":" "}`), nil, 400, rag.Invalid, "query", "must not be empty"},
		{"threshold", retrieve(`{"query":"a","similarity_threshold":2}`), nil, 400, rag.Invalid, "similarity_threshold", "at most 1"},
		{"query parameter", [4]string{"POST", "/v1/retrieve?wait=true", contentJSON, `{"query":"a"}`}, nil, 400, rag.Invalid, "wait", "query parameter"},

		{"user empty", retrieve(`{"query":"a"}`), []string{"X-User-ID", ""}, 400, rag.Invalid, "X-User-ID", "empty"},
		{"user twice", retrieve(`{"query":"a"}`), []string{"X-User-ID", "a", "X-User-ID", "b"}, 400, rag.Invalid, "X-User-ID", "2 times"},
		{"user long", retrieve(`{"query":"a"}`), []string{"X-User-ID", strings.Repeat("a", 257)}, 400, rag.Invalid, "X-User-ID", "256"},
		{"user not UTF-8", retrieve(`{"query":"a"}`), []string{"X-User-ID", "\xff"}, 400, rag.Invalid, "X-User-ID", "UTF-8"},
		{"user with a control character", retrieve(`{"query":"a"}`), []string{"X-User-ID", "a\x01"}, 400, rag.Invalid, "X-User-ID", "control"},

		{"upload of plain text", [4]string{"POST", "/v1/documents", "text/plain", "text"}, nil, 415, rag.UnsupportedMedia, "Content-Type", "multipart/form-data"},
		{"form without boundary", [4]string{"POST", "/v1/documents", "multipart/form-data", "x"}, nil, 415, rag.UnsupportedMedia, "Content-Type", "boundary"},
		{"form that is none", [4]string{"POST", "/v1/documents", oneFile, "not a form"}, nil, 400, rag.Invalid, "file", "missing"},
		{"form cut short", [4]string{"POST", "/v1/documents", oneFile, oneFileBody[:len(oneFileBody)-8]}, nil, 400, rag.Invalid, "", "multipart/form-data"},
		{"form without parts", [4]string{"POST", "/v1/documents", noParts, noPartsBody}, nil, 400, rag.Invalid, "file", "missing"},
		{"two files", [4]string{"POST", "/v1/documents", twoFiles, twoFilesBody}, nil, 400, rag.Invalid, "file", "one document"},
		{"other part", [4]string{"POST", "/v1/documents", otherPart, otherPartBody}, nil, 400, rag.Invalid, "document", "it has file"},
		{"user part", [4]string{"POST", "/v1/documents", userPart, userPartBody}, nil, 400, rag.Invalid, "user", "X-User-ID"},
		{"file without a name", [4]string{"POST", "/v1/documents", noName, noNameBody}, nil, 400, rag.Invalid, "file", "filename"},
		{"empty file", [4]string{"POST", "/v1/documents", emptyFile, emptyFileBody}, nil, 400, rag.Invalid, "file", "0 bytes"},
		{"large file", [4]string{"POST", "/v1/documents", bigFile, bigFileBody}, nil, 413, rag.TooLarge, "file", "1000 bytes, the limit for one document (WEIR_MAX_FILE_BYTES)"},
		{"large text", [4]string{"POST", "/v1/documents", contentJSON, `{"filename":"a","text":"` + strings.Repeat("x", smallFile+1) + `"}`}, nil, 413, rag.TooLarge, "text", "1000 bytes, the limit for one document (WEIR_MAX_FILE_BYTES)"},
		{"very large text", [4]string{"POST", "/v1/documents", contentJSON, `{"filename":"a","text":"` + strings.Repeat("x", smallFile+formExtra) + `"}`}, nil, 413, rag.TooLarge, "text", "WEIR_MAX_FILE_BYTES"},
		{"text without a name", [4]string{"POST", "/v1/documents", contentJSON, `{"text":"a"}`}, nil, 400, rag.Invalid, "filename", "filename: is missing"},
		{"text empty", [4]string{"POST", "/v1/documents", contentJSON, `{"filename":"a"}`}, nil, 400, rag.Invalid, "text", "text: is missing"},
		{"ready for what", [4]string{"GET", "/readyz?for=uploads", "", ""}, nil, 400, rag.Invalid, "for", "must be retrieval"},
		{"force what", [4]string{"POST", "/v1/reembed?force=please", "", ""}, nil, 400, rag.Invalid, "force", "true or false"},
		{"wait what", [4]string{"POST", "/v1/documents?wait=yes", contentJSON, `{}`}, nil, 400, rag.Invalid, "wait", "true or false"},
		{"replace what", [4]string{"POST", "/v1/documents?replace", contentJSON, `{}`}, nil, 400, rag.Invalid, "replace", "true or false"},
		{"wait twice", [4]string{"POST", "/v1/documents?wait=true&wait=true", contentJSON, `{}`}, nil, 400, rag.Invalid, "wait", "2 times"},

		{"limit zero", [4]string{"GET", "/v1/documents?limit=0"}, nil, 400, rag.Invalid, "limit", "from 1 to 200"},
		{"limit word", [4]string{"GET", "/v1/documents?limit=all"}, nil, 400, rag.Invalid, "limit", "from 1 to 200"},
		{"status unknown", [4]string{"GET", "/v1/documents?status=done"}, nil, 400, rag.Invalid, "status", "queued"},
		{"parameter unknown", [4]string{"GET", "/v1/documents?page=2"}, nil, 400, rag.Invalid, "page", "cursor"},
		{"query string broken", [4]string{"GET", "/v1/documents?limit=%zz"}, nil, 400, rag.Invalid, "", "query string"},
		{"parameter not UTF-8", [4]string{"GET", "/v1/documents?filename=%ff"}, nil, 400, rag.Invalid, "filename", "UTF-8"},
		{"body where none is read", [4]string{"GET", "/v1/documents", "text/plain", strings.Repeat("x", maxNothing+1)}, nil, 413, rag.TooLarge, "", ""},

		{"no document", [4]string{"GET", "/v1/documents/doc-9"}, nil, 404, rag.NotFound, "", ""},
		{"document of another", [4]string{"GET", "/v1/documents/doc-1"}, []string{"X-User-ID", "eve"}, 404, rag.NotFound, "", ""},
		{"delete of another's", [4]string{"DELETE", "/v1/documents/doc-1"}, []string{"X-User-ID", "eve"}, 404, rag.NotFound, "", ""},
		{"cancel of another's", [4]string{"POST", "/v1/documents/doc-1/cancel"}, []string{"X-User-ID", "eve"}, 404, rag.NotFound, "", ""},
		{"events of another's", [4]string{"GET", "/v1/documents/doc-1/events"}, []string{"X-User-ID", "eve"}, 404, rag.NotFound, "", ""},
		{"id with a zero byte", [4]string{"GET", "/v1/documents/a%00"}, nil, 404, rag.NotFound, "", ""},
		{"cancel of a ready one", [4]string{"POST", "/v1/documents/doc-1/cancel"}, nil, 409, rag.Conflict, "", "ready"},

		{"another's host", [4]string{"GET", "/v1/status"}, []string{"Host", "evil.example:8080"}, 403, rag.Forbidden, "Host", "evil.example"},
		{"host that only begins well", [4]string{"GET", "/v1/status"}, []string{"Host", "localhost.evil.example"}, 403, rag.Forbidden, "Host", ""},
		{"address of the network", [4]string{"GET", "/v1/status"}, []string{"Host", "192.168.1.1"}, 403, rag.Forbidden, "Host", ""},
		{"no host", [4]string{"GET", "/v1/status"}, []string{"Host", ""}, 403, rag.Forbidden, "Host", ""},
		{"page of another site", [4]string{"DELETE", "/v1/documents/doc-1"}, []string{"Sec-Fetch-Site", "cross-site"}, 403, rag.Forbidden, "", "web page"},
		{"page of another port", [4]string{"DELETE", "/v1/documents/doc-1"}, []string{"Sec-Fetch-Site", "same-site"}, 403, rag.Forbidden, "", "web page"},
		{"page of another origin", [4]string{"DELETE", "/v1/documents/doc-1"}, []string{"Origin", "http://evil.example"}, 403, rag.Forbidden, "", "web page"},
		{"reading for another origin", [4]string{"GET", "/v1/documents"}, []string{"Origin", "http://evil.example"}, 403, rag.Forbidden, "", "web page"},
		{"reading for another port", [4]string{"GET", "/v1/documents/doc-1"}, []string{"Origin", "http://127.0.0.1:9999"}, 403, rag.Forbidden, "", "web page"},
		{"reading for no origin", [4]string{"GET", "/v1/status"}, []string{"Origin", "null"}, 403, rag.Forbidden, "", "web page"},
		{"reading for another site", [4]string{"GET", "/v1/documents"}, []string{"Sec-Fetch-Site", "cross-site"}, 403, rag.Forbidden, "", "web page"},
		{"reading for the same site", [4]string{"GET", "/v1/documents"}, []string{"Sec-Fetch-Site", "same-site"}, 403, rag.Forbidden, "", "web page"},
		{"preflight", [4]string{"OPTIONS", "/v1/retrieve"}, []string{"Origin", "http://evil.example"}, 403, rag.Forbidden, "", "web page"},
		{"stream for another origin", [4]string{"GET", "/v1/documents/doc-1/events"}, []string{"Origin", "http://evil.example"}, 403, rag.Forbidden, "", "web page"},
		{"stream for another site", [4]string{"GET", "/v1/documents/doc-1/events"}, []string{"Sec-Fetch-Site", "cross-site"}, 403, rag.Forbidden, "", "web page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{}
			s.put(defaultUser, "a.txt", "text", rag.Ready)
			h := newDoor(Config{MaxFileBytes: smallFile}, newService(t, rag.Config{MaxFileBytes: smallFile}, s))
			r := request(t, tt.request[0], "/", strings.NewReader(tt.request[3]))
			target, query, _ := strings.Cut(tt.request[1], "?")
			r.URL.RawQuery = query
			var err error
			if r.URL.Path, err = unescape(target); err != nil {
				t.Fatal(err)
			}
			if tt.request[2] != "" {
				r.Header.Set("Content-Type", tt.request[2])
			}
			for i := 0; i < len(tt.headers); i += 2 {
				if tt.headers[i] == "Host" {
					r.Host = tt.headers[i+1]
				} else {
					r.Header.Add(tt.headers[i], tt.headers[i+1])
				}
			}
			got := ask(t, h, r)
			p := got.problem(t)
			if p.Status != tt.status || p.Code != tt.code {
				t.Errorf("got %d %s, want %d %s: %s", p.Status, p.Code, tt.status, tt.code, p.Detail)
			}
			if (tt.field != "" || tt.code != rag.Invalid) && p.Field != tt.field {
				t.Errorf("field %q, want %q: %s", p.Field, tt.field, p.Detail)
			}
			if !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("detail %q has no %q", p.Detail, tt.detail)
			}
			if len(p.Detail) > 1000 {
				t.Errorf("detail is %d bytes long", len(p.Detail))
			}
			if _, err := s.Document(t.Context(), defaultUser, "doc-1"); err != nil {
				t.Errorf("the refused request changed something: %v", err)
			}
		})
	}
}

func TestWrongMethods(t *testing.T) {
	h := newDoor(Config{}, newService(t, rag.Config{}, &shelf{}))
	for _, tt := range []struct{ method, path, allow string }{
		{"GET", "/v1/retrieve", "POST"},
		{"OPTIONS", "/v1/retrieve", "POST"},
		{"PUT", "/v1/documents", "GET, HEAD, POST"},
		{"POST", "/v1/documents/a", "DELETE, GET, HEAD"},
		{"GET", "/v1/documents/a/cancel", "POST"},
		{"DELETE", "/v1/documents/a/events", "GET"},
		{"HEAD", "/v1/documents/a/events", "GET"},
		{"POST", "/healthz", "GET, HEAD"},
		{"POST", "/readyz", "GET, HEAD"},
		{"BREW", "/v1/status", "GET, HEAD"},
	} {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			got := ask(t, h, request(t, tt.method, tt.path, nil))
			if p := got.problem(t); p.Status != 405 || p.Code != rag.Invalid {
				t.Errorf("got %d %s, want 405 invalid", p.Status, p.Code)
			}
			if allow := got.header.Get("Allow"); allow != tt.allow {
				t.Errorf("Allow = %q, want %q", allow, tt.allow)
			}
		})
	}
}

// TestFailures gives every endpoint every error a service can return.
func TestFailures(t *testing.T) {
	type failure struct {
		name       string
		err        error
		status     int
		code       rag.Code
		retryAfter string
		retryMS    int64
		detail     string
	}
	failures := []failure{
		{"invalid", rag.FieldErrorf("x", "is wrong"), 400, rag.Invalid, "", 0, "x: is wrong"},
		{"unauthorized", rag.Errorf(rag.Unauthorized, "who?"), 401, rag.Unauthorized, "", 0, "who?"},
		{"forbidden", rag.Errorf(rag.Forbidden, "no"), 403, rag.Forbidden, "", 0, "no"},
		{"not found", rag.Errorf(rag.NotFound, "gone"), 404, rag.NotFound, "", 0, "gone"},
		{"conflict", rag.Errorf(rag.Conflict, "not now"), 409, rag.Conflict, "", 0, "not now"},
		{"too large", rag.Errorf(rag.TooLarge, "too long"), 413, rag.TooLarge, "", 0, "too long"},
		{"unsupported", rag.Errorf(rag.UnsupportedMedia, "what?"), 415, rag.UnsupportedMedia, "", 0, "what?"},
		{"rate limited", &rag.Error{Code: rag.RateLimited, Msg: "slower", RetryAfter: 1200 * time.Millisecond}, 429, rag.RateLimited, "2", 1200, "slower"},
		{"overloaded", rag.Errorf(rag.Overloaded, "full"), 503, rag.Overloaded, "1", 1000, "full"},
		{"overloaded, shortly", &rag.Error{Code: rag.Overloaded, Msg: "full", RetryAfter: time.Microsecond}, 503, rag.Overloaded, "1", 1, "full"},
		{"unavailable", rag.Errorf(rag.Unavailable, "down"), 503, rag.Unavailable, "", 0, "down"},
		{"timeout", rag.Errorf(rag.Timeout, "late"), 504, rag.Timeout, "", 0, "late"},
		{"bare timeout", context.DeadlineExceeded, 504, rag.Timeout, "", 0, "deadline"},
		{"canceled", rag.Errorf(rag.Canceled, "left"), 499, rag.Canceled, "", 0, "left"},
		{"bare canceled", context.Canceled, 499, rag.Canceled, "", 0, "left"},
		{"internal", rag.Errorf(rag.Internal, "broke"), 500, rag.Internal, "", 0, "broke"},
		{"bare", errors.New("secret of the server"), 500, rag.Internal, "", 0, "log"},
		{"unknown code", &rag.Error{Code: "new", Msg: "unheard of"}, 500, "new", "", 0, "unheard of"},
	}
	for _, endpoint := range [][4]string{
		{"POST", "/v1/retrieve", contentJSON, `{"query":"text"}`},
		{"POST", "/v1/documents", contentJSON, `{"filename":"a","text":"b"}`},
		{"POST", "/v1/documents?wait=true", contentJSON, `{"filename":"a","text":"b"}`},
		{"GET", "/v1/documents"},
		{"GET", "/v1/documents/doc-1"},
		{"DELETE", "/v1/documents/doc-1"},
		{"POST", "/v1/documents/doc-1/cancel"},
		{"GET", "/v1/documents/doc-1/events"},
	} {
		for _, f := range failures {
			t.Run(endpoint[0]+endpoint[1]+" "+f.name, func(t *testing.T) {
				s := &shelf{hook: func(context.Context, string) error { return f.err }}
				h := newDoor(Config{}, newService(t, rag.Config{}, s))
				got := askUnchecked(t, h, request(t, endpoint[0], endpoint[1], strings.NewReader(endpoint[3]), "Content-Type", endpoint[2]))
				p := got.problem(t)
				if p.Status != f.status || p.Code != f.code {
					t.Errorf("got %d %s, want %d %s", p.Status, p.Code, f.status, f.code)
				}
				if ra := got.header.Get("Retry-After"); ra != f.retryAfter || p.RetryAfterMS != f.retryMS {
					t.Errorf("Retry-After %q, retry_after_ms %d; want %q, %d", ra, p.RetryAfterMS, f.retryAfter, f.retryMS)
				}
				if !strings.Contains(p.Detail, f.detail) || strings.Contains(p.Detail, "secret") {
					t.Errorf("detail %q", p.Detail)
				}
			})
		}
	}
}

func TestReadiness(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int
		detail string
	}{
		{"ready", nil, 200, ""},
		{"down", rag.Errorf(rag.Unavailable, "the file is locked"), 503, "locked"},
		{"broken", errors.New("secret"), 503, "cannot serve"},
		{"late", rag.Errorf(rag.Timeout, "late"), 503, "in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{hook: func(context.Context, string) error { return tt.err }}
			h := newDoor(Config{}, newService(t, rag.Config{}, s))
			// From anywhere: a probe calls by whatever name it has.
			r := request(t, http.MethodGet, "/readyz", nil)
			r.Host = "10.0.0.7:8080"
			got := ask(t, h, r)
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			if tt.status != 200 {
				if p := got.problem(t); !strings.Contains(p.Detail, tt.detail) || p.Code != rag.Unavailable {
					t.Errorf("problem %+v", p)
				}
			}
			if got := ask(t, h, request(t, http.MethodGet, "/healthz", nil)); got.status != 200 {
				t.Errorf("/healthz: %d", got.status)
			}
		})
	}
}
