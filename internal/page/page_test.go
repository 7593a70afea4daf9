package page

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func newPage(t *testing.T) *Page {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(p *Page, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// All that the page names is there, and nothing it names is another's.
func TestEveryAssetThatIsNamedIsThere(t *testing.T) {
	p := newPage(t)
	document := string(body(t, get(p, "GET", "/")))
	links := regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(document, -1)
	if len(links) < 5 {
		t.Fatalf("the document names %d files", len(links))
	}
	for _, l := range links {
		if !p.Has(l[1]) {
			t.Errorf("the document names %s, which is not there", l[1])
		}
	}
	for at := range p.files {
		if path.Ext(at) == ".js" && !strings.Contains(document, at) {
			t.Errorf("the document does not name %s, which then comes a round trip later", at)
		}
	}
	imports := regexp.MustCompile(`(?m)(?:from|import) ?"([^"]+)"`)
	for at, f := range p.files {
		if path.Ext(at) != ".js" {
			continue
		}
		for _, m := range imports.FindAllSubmatch(f.plain, -1) {
			if other := path.Join(path.Dir(at), string(m[1])); !p.Has(other) {
				t.Errorf("%s imports %s, which is not there", at, other)
			}
		}
	}
}

// What would break the policy, or the promise that all is shown as text.
func TestNoFileHasWhatThePolicyForbids(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|\beval\(|new Function|srcdoc| style="|<style| on[a-z]+="|javascript:|https?://`)
	for at, f := range newPage(t).files {
		text := strings.ReplaceAll(string(f.plain), "http://www.w3.org/2000/svg", "") // a name, not an address
		if found := forbidden.FindString(text); found != "" {
			t.Errorf("%s has %q", at, found)
		}
	}
}

func TestHeaders(t *testing.T) {
	p := newPage(t)
	var script string
	for at := range p.files {
		if strings.HasSuffix(at, "/app.js") {
			script = at
		}
	}
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		contentType, cache string
	}{
		{"document", "GET", "/", nil, 200, "text/html; charset=utf-8", "no-cache"},
		{"document, with a query", "GET", "/?x=1", nil, 200, "text/html; charset=utf-8", "no-cache"},
		{"script", "GET", script, nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"head", "HEAD", script, nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"of another version", "GET", "/assets/0123456789abcdef/app.js", nil, 404, "text/plain; charset=utf-8", ""},
		{"folder", "GET", "/assets/", nil, 404, "text/plain; charset=utf-8", ""},
		{"out of the folder", "GET", "/assets/../page.go", nil, 404, "text/plain; charset=utf-8", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(p, tt.method, tt.path, tt.header...)
			if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.contentType || resp.Header.Get("Cache-Control") != tt.cache {
				t.Errorf("got %d %v", resp.StatusCode, resp.Header)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); tt.status == 200 && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe")) {
				t.Errorf("policy %q", csp)
			}
			if tt.method == "HEAD" && len(body(t, resp)) > 0 {
				t.Error("HEAD has a body")
			}
		})
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	p := newPage(t)
	tag := get(p, "GET", "/").Header.Get("ETag")
	zipped := get(p, "GET", "/", "Accept-Encoding", "gzip").Header.Get("ETag")
	if tag == zipped {
		t.Errorf("one tag, %s, for two encodings", tag)
	}
	for header, want := range map[string]int{
		tag: 304, zipped: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304,
		`"other"`: 200, "": 200, strings.Trim(tag, `"`): 200,
	} {
		resp := get(p, "GET", "/", "If-None-Match", header)
		if resp.StatusCode != want {
			t.Errorf("If-None-Match %s: got %d, want %d", header, resp.StatusCode, want)
		}
		if want == 304 && (len(body(t, resp)) > 0 || resp.Header.Get("ETag") == "") {
			t.Errorf("If-None-Match %s: a 304 has its tag and no body", header)
		}
	}
}

func TestCompression(t *testing.T) {
	p := newPage(t)
	plain := body(t, get(p, "GET", "/"))
	for header, want := range map[string]bool{
		"gzip": true, "gzip, deflate, br": true, "GZIP": true, "*": true, "br;q=1, gzip;q=0.5": true,
		"": false, "br": false, "gzip;q=0": false, "*;q=0": false, "gzip;q=0, *": false, "gzipped": false, ";;": false,
	} {
		resp := get(p, "GET", "/", "Accept-Encoding", header)
		b := body(t, resp)
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: compressed is %v, want %v", header, got, want)
			continue
		}
		if want {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b, plain) {
			t.Errorf("Accept-Encoding %q: another text", header)
		}
	}
}
