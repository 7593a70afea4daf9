package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var files embed.FS

// base is the path of the assets, before their hash.
const base = "/assets/"

// mark stands in the document where the path of the assets belongs.
const mark = "{{assets}}"

// policy is what the page may do. Trusted Types without a policy of any name:
// no script can make HTML or code of a string.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Page answers GET and HEAD of / and of everything under /assets/. It is safe
// for concurrent use and waits for nothing but the reader.
type Page struct {
	files map[string]file // by path
}

// file is one answer, made at the start.
type file struct {
	contentType string
	etag        string
	cache       string
	plain, gzip []byte // gzip: nil if that is no shorter
}

// New reads the embedded files.
func New() (*Page, error) {
	p := &Page{files: map[string]file{}}
	sum := sha256.New()
	var names []string
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		names = append(names, name)
		fmt.Fprintf(sum, "%s\x00%d\x00", name, len(content))
		sum.Write(content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the page's files: %w", err)
	}
	folder := base + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if path.Base(name) == "index.html" {
			content = bytes.ReplaceAll(content, []byte(mark), []byte(strings.TrimSuffix(folder, "/")))
			p.files["/"], err = newFile(name, content, "no-cache")
		} else {
			p.files[folder+strings.TrimPrefix(name, "assets/")], err = newFile(name, content, "public, max-age=31536000, immutable")
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

func newFile(name string, content []byte, cache string) (file, error) {
	var short bytes.Buffer
	z, err := gzip.NewWriterLevel(&short, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return file{}, fmt.Errorf("compressing %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	f := file{contentType: typeOf(name), cache: cache, etag: hex.EncodeToString(sum[:12]), plain: content}
	if short.Len() < len(content) {
		f.gzip = short.Bytes()
	}
	return f, nil
}

// typeOf does not go by the machine's table of types, which may be anything.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

// Has reports whether there is something at a path.
func (p *Page) Has(at string) bool {
	_, ok := p.files[at]
	return ok
}

func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	body, etag := f.plain, `"`+f.etag+`"`
	if f.gzip != nil && takesGzip(r.Header) {
		body, etag = f.gzip, `"`+f.etag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if unchanged(r.Header.Get("If-None-Match"), f.etag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader who left is nobody to tell
	}
}

// unchanged reports whether an If-None-Match has the tag, in either encoding.
func unchanged(header, tag string) bool {
	for _, t := range strings.Split(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == "*" || t == `"`+tag+`"` || t == `"`+tag+`-gzip"` {
			return true
		}
	}
	return false
}

// takesGzip reads Accept-Encoding as RFC 9110 has it, as far as gzip goes.
func takesGzip(h http.Header) bool {
	takes := false
	for _, part := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || (coding != "gzip" && coding != "*") {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		wanted := params["q"] == "" || (err == nil && q > 0)
		if coding == "gzip" {
			return wanted
		}
		takes = wanted
	}
	return takes
}
