package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/internal/rag"
)

// onePage has a document and one file.
type onePage struct{}

func (onePage) Has(path string) bool { return path == "/" || path == "/assets/x.js" }

func (onePage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", "script-src 'self'")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write([]byte("page"))
}

func TestPage(t *testing.T) {
	tests := []struct {
		name, method, path string
		header             [2]string
		page               bool
		status             int
	}{
		{name: "document", method: "GET", path: "/", page: true, status: 200},
		{name: "file", method: "GET", path: "/assets/x.js", page: true, status: 200},
		{name: "from a link on another site", method: "GET", path: "/", header: [2]string{"Sec-Fetch-Site", "cross-site"}, page: true, status: 200},
		{name: "head", method: "HEAD", path: "/", page: true, status: 200},
		{name: "no such file", method: "GET", path: "/assets/y.js", page: true, status: 404},
		{name: "no such path", method: "GET", path: "/page", page: true, status: 404},
		{name: "post", method: "POST", path: "/", page: true, status: 405},
		{name: "path that is not clean", method: "GET", path: "/assets/../assets/x.js", page: true, status: 404},
		{name: "up, encoded", method: "GET", path: "/assets/..%2fassets%2fx.js", page: true, status: 404},
		{name: "up, encoded once more", method: "GET", path: "/assets/%2e%2e/assets/x.js", page: true, status: 404},
		{name: "up, the other way", method: "GET", path: "/assets/..%5cx.js", page: true, status: 404},
		{name: "two slashes", method: "GET", path: "/assets//x.js", page: true, status: 404},
		{name: "a NUL", method: "GET", path: "/assets/x.js%00", page: true, status: 404},
		{name: "without a page", method: "GET", path: "/", status: 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{MaxRequests: 1}
			if tt.page {
				cfg.Page = onePage{}
			}
			d := newDoor(cfg, newService(t, rag.Config{}, &shelf{}))
			if tt.status == 200 { // the page comes also when all is full
				leave, err := d.requests.enter(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				defer leave()
			}
			r := httptest.NewRequest(tt.method, tt.path, http.NoBody)
			r.Host = "localhost"
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("got %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if csp := w.Header().Get("Content-Security-Policy"); (csp == "script-src 'self'") != (tt.status == 200) {
				t.Errorf("policy %q", csp)
			}
			if tt.status != 200 && !strings.HasPrefix(w.Header().Get("Content-Type"), problemType) {
				t.Errorf("%s", w.Header().Get("Content-Type"))
			}
		})
	}
}
