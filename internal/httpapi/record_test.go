package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

type recorder struct{ *httptest.ResponseRecorder }

func newRecorder() recorder { return recorder{httptest.NewRecorder()} }

type response struct {
	status int
	header http.Header
	body   []byte
	closes bool // the server said that it closes the connection
}

func (r recorder) answer(t testing.TB) *response {
	t.Helper()
	res := r.Result()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &response{res.StatusCode, res.Header, b, res.Close}
}

// request makes a request as a local program sends it.
func request(t testing.TB, method, target string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	r.Host = "127.0.0.1:8080"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func (r *response) problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("status %d, not a problem: %v: %s", r.status, err, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type of a problem = %q", got)
	}
	if p.Status != r.status || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || p.OperationID == "" {
		t.Errorf("problem is not whole: status %d, %+v", r.status, p)
	}
	if got := r.header.Get("X-Operation-Id"); got != p.OperationID {
		t.Errorf("X-Operation-Id %q, operation_id %q", got, p.OperationID)
	}
	return p
}

func decode[T any](t testing.TB, r *response) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("status %d: %v: %s", r.status, err, r.body)
	}
	return v
}

func unescape(path string) (string, error) { return url.PathUnescape(path) }
