package identity

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Config is what a Gate can be told. One of KeysFile, JWTSecret, JWKSURL and
// OwnerSecret must be there.
type Config struct {
	KeysFile string // of API keys; "": none are taken

	JWTSecret   string // for tokens of HS256, at least 32 bytes; "": none are taken
	JWKSURL     string // where the keys for tokens of RS256 and ES256 are: https, or http on loopback; "": none are taken
	CacheDir    string // folder that keeps them for the next start; "": none
	JWTIssuer   string // that iss must be. Defaults to any
	JWTAudience string // that aud must hold; required with JWKSURL. Defaults to any

	// OwnerSecret is taken from callers on this machine, who may act for any user
	// and do all. It is made by NewOwnerSecret. Defaults to none.
	OwnerSecret string

	// Failures are how many wrong keys and tokens may come from one address in a
	// minute, before it is told to wait. Defaults to 60.
	Failures int

	Proxy func(*http.Request) (*url.URL, error) // for JWKSURL. Defaults to none
	Log   *slog.Logger                          // Defaults to none

	now func() time.Time // for tests
}

// WithDefaults returns c with its zeros filled in.
func (c Config) WithDefaults() Config {
	if c.Failures == 0 {
		c.Failures = 60
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.KeysFile == "" && c.JWTSecret == "" && c.JWKSURL == "" && c.OwnerSecret == "":
		return errors.New("identity.Config: nothing to know callers by")
	case c.Failures < 0:
		return errors.New("identity.Config: Failures is negative")
	}
	return errors.Join(CheckSecret(c.JWTSecret), CheckJWKS(c.JWKSURL, c.JWTAudience))
}

// CheckSecret refuses a secret for HS256 that could be guessed; "" is none.
func CheckSecret(secret string) error {
	if secret != "" && len(secret) < minSecret {
		return fmt.Errorf("is %d bytes long; a secret for HS256 has at least %d, or it can be guessed from any token", len(secret), minSecret)
	}
	return nil
}

// CheckJWKS refuses an address of keys that another could answer at, and one
// whose tokens may be meant for others; "" is none.
func CheckJWKS(address, audience string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.Fragment != "" {
		return errors.New("must be an address such as https://issuer.example/.well-known/jwks.json, without a name or password")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return errors.New("must be https: over http anybody on the way could answer with keys of their own (http is for loopback addresses)")
	}
	if audience == "" {
		return errors.New("needs an audience (WEIR_JWT_AUDIENCE): the issuer signs tokens for others too, and each of them would open this server")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
