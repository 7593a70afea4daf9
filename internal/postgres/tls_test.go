package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// certificate writes one that signs itself, for 127.0.0.1.
func certificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestTLS: the address says what is asked of the server's certificate.
func TestTLS(t *testing.T) {
	c := pgtest.Start(t, pgtest.Settings{})
	dir := t.TempDir()
	cert, key := certificate(t, dir, "server")
	other, _ := certificate(t, dir, "other")
	c.TLS(t, cert, key)
	db := c.Database(t)
	with := func(host string, settings url.Values) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(pgtest.Role, pgtest.Password), Host: host, Path: "/" + db, RawQuery: settings.Encode()}
		return u.String()
	}
	_, port, err := net.SplitHostPort(c.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, host string
		settings   url.Values
		good       bool
	}{
		{"require", "127.0.0.1", url.Values{"sslmode": {"require"}}, true},
		{"verify-full", "127.0.0.1", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {cert}}, true},
		{"verify-full, another root", "127.0.0.1", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {other}}, false},
		{"verify-full, another name", "localhost", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {cert}}, false},
		{"verify-ca, another name", "localhost", url.Values{"sslmode": {"verify-ca"}, "sslrootcert": {cert}}, true},
		{"disable", "127.0.0.1", url.Values{"sslmode": {"disable"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), postgres.Config{Address: with(net.JoinHostPort(test.host, port), test.settings)})
			if (err == nil) != test.good {
				t.Errorf("%v", err)
			}
			if err != nil {
				if rag.CodeOf(err) != rag.Unavailable {
					t.Errorf("%v", err)
				}
				return
			}
			defer s.Close()
			want := int64(1)
			if test.settings.Get("sslmode") == "disable" {
				want = 0
			}
			if n := c.Number(t, db, "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'weir' AND ssl"); (n > 0) != (want > 0) {
				t.Errorf("%d connections speak TLS", n)
			}
		})
	}
}
