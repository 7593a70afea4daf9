package chaos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// cert is what a handshake meets.
type cert int

const (
	certGood    cert = iota
	certUnknown      // signed by nobody known
	certExpired      // an hour ago
	certName         // of another host
	certStall        // the handshake is not answered
	certPlain        // no TLS is spoken at all
	certOld          // only a version of TLS that nobody should speak
)

// certificates are those of a provider.
type certificates struct {
	authority *x509.Certificate
	leaves    map[cert]tls.Certificate
}

func (c certificates) of(which cert) tls.Certificate {
	if leaf, ok := c.leaves[which]; ok {
		return leaf
	}
	return c.leaves[certGood]
}

// newCertificates makes an authority and what is signed by it, or not.
func newCertificates(now time.Time) (certificates, error) {
	known, err := newAuthority(now)
	if err != nil {
		return certificates{}, err
	}
	unknown, err := newAuthority(now)
	if err != nil {
		return certificates{}, err
	}
	out := certificates{authority: known.Leaf, leaves: map[cert]tls.Certificate{}}
	for _, l := range []struct {
		which cert
		by    tls.Certificate
		host  string
		until time.Time
	}{
		{certGood, known, hostname, now.Add(7 * 24 * time.Hour)},
		{certUnknown, unknown, hostname, now.Add(7 * 24 * time.Hour)},
		{certExpired, known, hostname, now.Add(-time.Hour)},
		{certName, known, "elsewhere.invalid", now.Add(7 * 24 * time.Hour)},
	} {
		leaf := &x509.Certificate{
			Subject: pkix.Name{CommonName: l.host}, DNSNames: []string{l.host},
			NotBefore: now.Add(-48 * time.Hour), NotAfter: l.until,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if l.host == hostname {
			leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		}
		if out.leaves[l.which], err = sign(leaf, &l.by); err != nil {
			return certificates{}, err
		}
	}
	return out, nil
}

func newAuthority(now time.Time) (tls.Certificate, error) {
	return sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "chaos"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(7 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
}

// sign makes a certificate with a key of its own; by nil: it signs itself.
func sign(c *x509.Certificate, by *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("chaos: %w", err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return tls.Certificate{}, fmt.Errorf("chaos: %w", err)
	}
	parent, signer := c, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("chaos: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("chaos: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// serveTLS shakes hands, or does not, and then serves calls.
func (p *Provider) serveTLS(c *conn, row Entry) {
	switch row.cert {
	case certStall:
		p.failed()
		c.listenOn()
		return
	case certPlain:
		p.failed()
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		finish(c, c)
		return
	case certGood, certUnknown, certExpired, certName, certOld:
	}
	config := p.tlsConfig(row.cert)
	if row.cert == certOld {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	}
	over := tls.Server(c, config)
	// Unbounded in time: it ends with the peer, or with us.
	if err := over.Handshake(); err != nil { //nolint:noctx // the connection is closed at the end
		p.failed()
		return
	}
	if over.ConnectionState().NegotiatedProtocol == "h2" {
		p.serve2(c, over)
		return
	}
	p.serve1(c, over)
}

func tlsFaults() []Entry {
	row := func(f Fault, does string, c cert, codes []Code) Entry {
		return Entry{Fault: f, Does: does, Expect: Failure, Codes: codes, Heals: true, Wires: tlsWire(), cert: c}
	}
	stall := row(TLSStall, "accepts, reads the client's greeting and never answers the handshake", certStall, late())
	stall.Heals = false
	return []Entry{
		stall,
		row(TLSUnknown, "shows a certificate from an authority that nobody knows", certUnknown, ill()),
		row(TLSExpired, "shows a certificate that expired an hour ago", certExpired, ill()),
		row(TLSOtherName, "shows a certificate made out to another host", certName, ill()),
		row(TLSNotSpoken, "answers the handshake in plain HTTP", certPlain, ill()),
		row(TLSOld, "speaks no TLS newer than 1.0", certOld, ill()),
	}
}
