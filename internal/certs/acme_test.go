package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// acmeServer is an authority that speaks RFC 8555, as much of it as one order
// needs. It looks at the domain as a real one does (RFC 8737): by a handshake
// with the server, whose address stands for the domain's.
type acmeServer struct {
	*httptest.Server
	t       *testing.T
	by      *signer
	address string        // of every domain, set before the first order
	hang    chan struct{} // not nil: orders wait until it is closed

	mu      sync.Mutex
	orders  int
	valid   bool
	jwk     []byte // the account's key, as it was sent
	cert    []byte
	domain  string
	problem error
}

func newACME(t *testing.T) *acmeServer {
	a := &acmeServer{t: t, by: newSigner(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("/dir", func(w http.ResponseWriter, _ *http.Request) {
		a.answer(w, 200, map[string]any{
			"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/order",
			"meta": map[string]string{"termsOfService": a.URL + "/terms"},
		})
	})
	mux.HandleFunc("/nonce", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, 200, nil) })
	mux.HandleFunc("/account", func(w http.ResponseWriter, r *http.Request) {
		protected, _ := a.read(r)
		a.mu.Lock()
		a.jwk = protected.JWK
		a.mu.Unlock()
		w.Header().Set("Location", a.URL+"/account/1")
		a.answer(w, 201, map[string]string{"status": "valid"})
	})
	mux.HandleFunc("/order", a.newOrder)
	mux.HandleFunc("/order/1", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, 200, a.order()) })
	mux.HandleFunc("/authz/1", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, 200, a.authz()) })
	mux.HandleFunc("/chal/1", func(w http.ResponseWriter, _ *http.Request) {
		a.look()
		a.answer(w, 200, map[string]string{"type": "tls-alpn-01", "status": "processing", "url": a.URL + "/chal/1", "token": "token"})
	})
	mux.HandleFunc("/finalize/1", a.finalize)
	mux.HandleFunc("/cert/1", func(w http.ResponseWriter, _ *http.Request) {
		a.nonce(w)
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		a.mu.Lock()
		defer a.mu.Unlock()
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: a.cert})
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: a.by.der})
	})
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func (a *acmeServer) nonce(w http.ResponseWriter) { w.Header().Set("Replay-Nonce", "nonce") }

func (a *acmeServer) answer(w http.ResponseWriter, status int, v any) {
	a.nonce(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

type protectedHeader struct {
	JWK json.RawMessage `json:"jwk"`
	KID string          `json:"kid"`
	URL string          `json:"url"`
}

// read takes a JWS apart; whether its signature is right is not what this is for.
func (a *acmeServer) read(r *http.Request) (protectedHeader, []byte) {
	var jws struct{ Protected, Payload string }
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &jws)
	}
	head, e1 := base64.RawURLEncoding.DecodeString(jws.Protected)
	payload, e2 := base64.RawURLEncoding.DecodeString(jws.Payload)
	var p protectedHeader
	if err = errors.Join(err, e1, e2, json.Unmarshal(head, &p)); err != nil || p.URL != a.URL+r.URL.Path {
		a.t.Errorf("%s: %v, %+v", r.URL.Path, err, p)
	}
	return p, payload
}

func (a *acmeServer) newOrder(w http.ResponseWriter, r *http.Request) {
	_, payload := a.read(r)
	if a.hang != nil {
		<-a.hang
	}
	var o struct {
		Identifiers []struct{ Value string }
	}
	if err := json.Unmarshal(payload, &o); err != nil || len(o.Identifiers) != 1 {
		a.t.Errorf("order %s: %v", payload, err)
		return
	}
	a.mu.Lock()
	a.orders++
	a.domain = o.Identifiers[0].Value
	a.mu.Unlock()
	w.Header().Set("Location", a.URL+"/order/1")
	a.answer(w, 201, a.order())
}

func (a *acmeServer) order() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := map[string]any{
		"status": "pending", "identifiers": []map[string]string{{"type": "dns", "value": a.domain}},
		"authorizations": []string{a.URL + "/authz/1"}, "finalize": a.URL + "/finalize/1",
	}
	switch {
	case a.cert != nil:
		o["status"], o["certificate"] = "valid", a.URL+"/cert/1"
	case a.valid:
		o["status"] = "ready"
	}
	return o
}

func (a *acmeServer) authz() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := "pending"
	if a.valid {
		status = "valid"
	} else if a.problem != nil {
		status = "invalid"
	}
	return map[string]any{
		"status": status, "identifier": map[string]string{"type": "dns", "value": a.domain},
		"challenges": []map[string]string{{"type": "tls-alpn-01", "status": status, "url": a.URL + "/chal/1", "token": "token"}},
	}
}

// look checks that whoever answers for the domain knows of the order: its
// certificate for acme-tls/1 holds the hash of token and account.
func (a *acmeServer) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	conn, err := tls.Dial("tcp", a.address, &tls.Config{ServerName: a.domain, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		a.problem = err
		return
	}
	defer conn.Close()
	want := sha256.Sum256([]byte("token." + thumbprint(a.t, a.jwk)))
	for _, x := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if x.Id.String() == "1.3.6.1.5.5.7.1.31" && strings.HasSuffix(string(x.Value), string(want[:])) && x.Critical {
			a.valid = true
			return
		}
	}
	a.problem = errors.New("the certificate has not what was asked for")
}

// thumbprint is RFC 7638's, of a key on a curve.
func thumbprint(t *testing.T, jwk []byte) string {
	t.Helper()
	var k struct{ Crv, Kty, X, Y string }
	if err := json.Unmarshal(jwk, &k); err != nil {
		t.Error(err)
	}
	sum := sha256.Sum256([]byte(`{"crv":"` + k.Crv + `","kty":"` + k.Kty + `","x":"` + k.X + `","y":"` + k.Y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (a *acmeServer) finalize(w http.ResponseWriter, r *http.Request) {
	_, payload := a.read(r)
	var f struct{ CSR string }
	err := json.Unmarshal(payload, &f)
	der, e := base64.RawURLEncoding.DecodeString(f.CSR)
	csr, e2 := x509.ParseCertificateRequest(der)
	if err = errors.Join(err, e, e2); err != nil {
		a.t.Error(err)
		return
	}
	cert := a.by.sign(a.t, 77, csr.DNSNames[0], csr.PublicKey, time.Now().Add(90*24*time.Hour))
	a.mu.Lock()
	a.cert = cert
	a.mu.Unlock()
	w.Header().Set("Location", a.URL+"/order/1")
	a.answer(w, 200, a.order())
}

func (a *acmeServer) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.orders
}

// many serves handshakes side by side: the authority looks while a client waits.
func many(t *testing.T, c *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				s := tls.Server(conn, c)
				_ = s.HandshakeContext(t.Context())
				_ = s.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); open.Wait() })
	return l.Addr().String()
}

func TestAuthority(t *testing.T) {
	acme, cache := newACME(t), t.TempDir()
	open := func() (*Authority, string) {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		a, err := NewAuthority(AuthorityConfig{Domains: []string{"weir.example.com"}, Cache: cache, Directory: acme.URL + "/dir", Client: client})
		if err != nil {
			t.Fatal(err)
		}
		return a, many(t, a.Config())
	}
	a, address := open()
	acme.address = address
	client := &tls.Config{RootCAs: acme.by.pool(), ServerName: "weir.example.com", NextProtos: []string{"h2", "http/1.1"}}
	var shakes sync.WaitGroup
	for range 8 { // who comes meanwhile begins no order of their own
		shakes.Go(func() {
			s, err := shake(t, address, client)
			if err != nil || s.NegotiatedProtocol != "h2" || s.PeerCertificates[0].SerialNumber.Int64() != 77 {
				t.Errorf("got %v, %q", err, s.NegotiatedProtocol)
			}
		})
	}
	shakes.Wait()
	a.Wait(t.Context())
	for _, name := range []string{"other.example.com", "", "weir.example.com.evil.example"} {
		if _, err := shake(t, address, &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil {
			t.Errorf("%q has a certificate", name)
		}
	}
	// After a restart it is in the cache.
	_, address = open()
	if _, err := shake(t, address, client); err != nil {
		t.Error(err)
	}
	if n := acme.count(); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// A handshake does not wait for an authority that hangs, and none begins a
// second order.
func TestAuthorityThatHangs(t *testing.T) {
	acme := newACME(t)
	acme.hang = make(chan struct{})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := NewAuthority(AuthorityConfig{
		Domains: []string{"weir.example.com"}, Cache: t.TempDir(), Directory: acme.URL + "/dir", Client: client, Patience: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	address := many(t, a.Config())
	acme.address = address
	for range 3 {
		if _, err := shake(t, address, &tls.Config{ServerName: "weir.example.com", InsecureSkipVerify: true}); err == nil {
			t.Error("there is a certificate")
		}
	}
	close(acme.hang)
	a.Wait(t.Context()) // what was begun goes on, and is in time for the next
	s, err := shake(t, address, &tls.Config{ServerName: "weir.example.com", RootCAs: acme.by.pool()})
	if err != nil || acme.count() != 1 {
		t.Errorf("%v, %d orders, %+v", err, acme.count(), s.ServerName)
	}
}
