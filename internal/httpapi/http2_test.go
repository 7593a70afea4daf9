package httpapi

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir/internal/rag"
)

// encrypted is a TLS configuration with a certificate for localhost, and the
// client's beside it.
func encrypted(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"h2"}}
}

// frames is a client of HTTP/2 that does what it is told, and no more.
type frames struct {
	t    *testing.T
	conn net.Conn
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (h *house) frames(t *testing.T, c *tls.Config) *frames {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{}, "tcp", h.Addr(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &frames{t: t, conn: conn, Framer: http2.NewFramer(conn, conn)}
	f.enc = hpack.NewEncoder(&f.block)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *frames) headers(method, path string, more ...string) []byte {
	f.block.Reset()
	for i, kv := 0, append([]string{":method", method, ":scheme", "https", ":authority", "localhost", ":path", path}, more...); i+1 < len(kv); i += 2 {
		if err := f.enc.WriteField(hpack.HeaderField{Name: kv[i], Value: kv[i+1]}); err != nil {
			f.t.Fatal(err)
		}
	}
	return bytes.Clone(f.block.Bytes())
}

// question begins a retrieval on a stream, with its body or without.
func (f *frames) question(id uint32, body string, end bool) error {
	err := f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, EndHeaders: true,
		BlockFragment: f.headers("POST", "/v1/retrieve", "content-type", "application/json"),
	})
	if body != "" {
		err = errors.Join(err, f.WriteData(id, end, []byte(body)))
	}
	return err
}

// until reads frames until one satisfies what, and reports whether one did before
// the connection ended.
func (f *frames) until(what func(http2.Frame) bool) bool {
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			f.t.Logf("the connection ended: %v", err)
			return false
		}
		if what(fr) {
			return true
		}
	}
}

func TestEncrypted(t *testing.T) {
	server, client := encrypted(t)
	h := newHouse(t, Config{TLS: server}, rag.Config{})
	if !strings.HasPrefix(h.URL(), "https://") {
		t.Errorf("the address is %s", h.URL())
	}
	for _, protocol := range []string{"HTTP/2.0", "HTTP/1.1"} {
		tr := &http.Transport{TLSClientConfig: client.Clone(), ForceAttemptHTTP2: protocol == "HTTP/2.0", DisableKeepAlives: true}
		if protocol == "HTTP/1.1" {
			tr.TLSClientConfig.NextProtos = nil
		}
		resp, err := (&http.Client{Transport: tr}).Get(h.URL() + "/v1/documents")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// The Host is an address of this machine, which is a name of any server.
		if resp.Proto != protocol || resp.StatusCode != 200 || resp.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %s %v", protocol, resp.Status, resp.Header)
		}
	}
	client.NextProtos = nil
	c, err := NewClient(ClientConfig{BaseURL: "https://localhost", Connect: h.Addr(), TLS: client})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	// Plain HTTP on the same port is told so, and nothing more.
	if got := h.say(t, "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\n\r\n"); got.status != 400 || bytes.Contains(got.body, []byte("documents")) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", h.Addr(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// The clients of TestSlowBodyIsCutOff and its like, over HTTP/2, where one
// connection has many requests: the slow one ends, its neighbours do not.
func TestSlowStreams(t *testing.T) {
	server, client := encrypted(t)
	h := newHouse(t, Config{TLS: server, BodyTimeout: 500 * time.Millisecond, UploadTimeout: 500 * time.Millisecond, WriteTimeout: time.Second, IdleTimeout: 2 * time.Second}, rag.Config{})
	h.shelf.put(defaultUser, "big.txt", strings.Repeat("many words ", 1<<20), rag.Ready)

	t.Run("slow body", func(t *testing.T) {
		f := h.frames(t, client)
		if err := f.question(1, `{"query":`, false); err != nil {
			t.Fatal(err)
		}
		var status string
		f.until(func(fr http2.Frame) bool {
			m, ok := fr.(*http2.MetaHeadersFrame)
			if ok {
				status = m.PseudoValue("status")
			}
			return ok
		})
		if status != "504" {
			t.Errorf("status %q", status)
		}
		if err := f.question(3, `{"query":"none such"}`, true); err != nil {
			t.Fatal(err)
		}
		if !f.until(func(fr http2.Frame) bool {
			m, ok := fr.(*http2.MetaHeadersFrame)
			return ok && m.StreamID == 3 && m.PseudoValue("status") == "200"
		}) {
			t.Error("the neighbour was not answered")
		}
	})
	t.Run("slow reader", func(t *testing.T) {
		f := h.frames(t, client) // never gives the server room to write more than 64 KiB
		if err := f.question(1, `{"query":"many words"}`, true); err != nil {
			t.Fatal(err)
		}
		if !f.until(func(fr http2.Frame) bool { r, ok := fr.(*http2.RSTStreamFrame); return ok && r.StreamID == 1 }) {
			t.Error("the stream goes on")
		}
	})
	t.Run("headers that never end", func(t *testing.T) {
		f := h.frames(t, client)
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.headers("GET", "/v1/documents")}); err != nil {
			t.Fatal(err)
		}
		for f.until(func(http2.Frame) bool { return false }) { // ends by itself
		}
	})
	t.Run("headers without end", func(t *testing.T) {
		f := h.frames(t, client)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.headers("GET", "/v1/documents")})
		for i := 0; ; i++ { // CONTINUATION flood
			if err := f.WriteContinuation(1, false, f.headers("GET", "/"+strings.Repeat("a", 8000))); err != nil {
				return
			}
			if i > 10_000 {
				t.Fatal("80 MB of headers are taken")
			}
		}
	})
	t.Run("says nothing", func(t *testing.T) {
		f := h.frames(t, client)
		for f.until(func(http2.Frame) bool { return false }) {
		}
	})
}

// TestRapidReset makes requests and gives them up at once (CVE-2023-44487): no
// more are worked on than a connection may have, and others are answered.
func TestRapidReset(t *testing.T) {
	server, client := encrypted(t)
	h := newHouse(t, Config{TLS: server}, rag.Config{Timeout: time.Hour})
	most := make(chan int, 100_000)
	working := make(chan struct{}, 100_000)
	h.shelf.setHook(func(ctx context.Context, op string) error {
		if op != "documents" {
			return ctx.Err()
		}
		working <- struct{}{}
		most <- len(working)
		<-ctx.Done() // until its caller has left
		<-working
		return ctx.Err()
	})
	f := h.frames(t, client)
	// As far as it goes: the server is to close the connection.
	sent := 0
	for ; sent < 20_000; sent++ {
		id := uint32(2*sent + 1)
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: f.headers("GET", "/v1/documents")}); err != nil {
			break
		}
		if err := f.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
			break
		}
	}
	refused := ""
	f.until(func(fr http2.Frame) bool {
		if g, ok := fr.(*http2.GoAwayFrame); ok && g.ErrCode != http2.ErrCodeNo {
			refused = g.ErrCode.String()
		}
		return refused != ""
	})
	t.Logf("%d requests were sent; the connection was closed with %q", sent, refused)
	n := 0
	for len(most) > 0 {
		n = max(n, <-most)
	}
	if n > maxH2Streams {
		t.Errorf("%d requests were worked on side by side; the limit of a connection is %d", n, maxH2Streams)
	}
	client.NextProtos = nil
	other := &http.Client{Transport: &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}}
	resp, err := other.Post(h.URL()+"/v1/retrieve", contentJSON, strings.NewReader(`{"query":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("another's call: %s", resp.Status)
	}
}

// More requests at once than a connection may have are refused by the protocol.
func TestStreamsOfOneConnection(t *testing.T) {
	server, client := encrypted(t)
	h := newHouse(t, Config{TLS: server}, rag.Config{})
	f := h.frames(t, client)
	limit := ""
	f.until(func(fr http2.Frame) bool {
		s, ok := fr.(*http2.SettingsFrame)
		if ok && !s.IsAck() {
			if v, there := s.Value(http2.SettingMaxConcurrentStreams); there {
				limit = strconv.Itoa(int(v))
			}
		}
		return limit != ""
	})
	if limit != strconv.Itoa(maxH2Streams) {
		t.Errorf("the limit is %q", limit)
	}
}
