package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/identity"
)

// identityConfig is who may ask, and how much.
type identityConfig struct {
	Auth        string // off, or what is taken, by commas; after settle never empty
	KeysFile    string
	JWTSecret   string
	JWKSURL     string
	JWTIssuer   string
	JWTAudience string
	UserRate    int // 0: see userRate
	UserBurst   int // 0: see userBurst
	AuditLog    string
}

// What WEIR_AUTH is made of.
const (
	authOff  = "off"
	authKeys = "keys"
	authJWT  = "jwt"
)

const keysFile = "keys.json" // in the data folder

func identitySettings() []setting {
	return []setting{
		{
			env: "WEIR_AUTH", key: "auth", flag: "auth", value: "NAMES",
			defDoc: "what is there: keys when there is a file of keys, jwt when WEIR_JWT_SECRET or WEIR_JWKS_URL is set, else off",
			help:   "what callers are known by: keys (made by weir key), jwt, or keys,jwt; off only on a loopback address",
			set:    setAuth,
		},
		{
			env: "WEIR_KEYS_FILE", key: "keys_file", flag: "keys-file", value: "FILE", defDoc: "keys.json in the data folder",
			help: "file of API keys, which several servers may share; changes are seen within a second",
			set:  setText(func(c *config) *string { return &c.KeysFile }),
		},
		{
			env: "WEIR_JWT_SECRET", key: "jwt_secret", secret: true, defDoc: "none",
			help: "secret of tokens signed with HS256, such as Supabase's JWT secret; at least 32 bytes",
			set:  setText(func(c *config) *string { return &c.JWTSecret }),
		},
		{
			env: "WEIR_JWKS_URL", key: "jwks_url", flag: "jwks-url", value: "URL", defDoc: "none",
			help: "address of the issuer's public keys (JWKS) for tokens signed with RS256 or ES256; https",
			set:  setText(func(c *config) *string { return &c.JWKSURL }),
		},
		{
			env: "WEIR_JWT_ISSUER", key: "jwt_issuer", flag: "jwt-issuer", value: "NAME", defDoc: "any",
			help: "what iss of a token must be",
			set:  setText(func(c *config) *string { return &c.JWTIssuer }),
		},
		{
			env: "WEIR_JWT_AUDIENCE", key: "jwt_audience", flag: "jwt-audience", value: "NAME", defDoc: "any; required with WEIR_JWKS_URL",
			help: "what aud of a token must hold (Supabase: authenticated)",
			set:  setText(func(c *config) *string { return &c.JWTAudience }),
		},
		{
			env: "WEIR_USER_RATE", key: "user_rate", flag: "user-rate", value: "N", defDoc: "1200; none while WEIR_AUTH is off",
			help: "calls that one user may make in a minute; a reload changes it",
			set:  setInt(func(c *config) *int { return &c.UserRate }, 1, 10_000_000),
		},
		{
			env: "WEIR_USER_BURST", key: "user_burst", flag: "user-burst", value: "N", defDoc: "a sixth of WEIR_USER_RATE",
			help: "of these, calls at once; a reload changes it",
			set:  setInt(func(c *config) *int { return &c.UserBurst }, 1, 10_000_000),
		},
		{
			env: "WEIR_AUDIT_LOG", key: "audit_log", flag: "audit-log", value: "FILE", defDoc: "none",
			help: "file for who did what, a line of JSON for each call, without content; log: into the log",
			set:  setText(func(c *config) *string { return &c.AuditLog }),
		},
	}
}

// setAuth takes off, keys, jwt, or several by commas.
func setAuth(c *config, text string) (bool, error) {
	c.Auth = ""
	if text == "" {
		return true, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains([]string{authOff, authKeys, authJWT}, name) || slices.Contains(names, name) {
			return false, errors.New("must be off, keys, jwt or keys,jwt, not \"" + text + "\"")
		}
		names = append(names, name)
	}
	if slices.Contains(names, authOff) && len(names) > 1 {
		return false, errors.New("cannot be off and on; give off, or what is taken")
	}
	slices.Sort(names)
	c.Auth = strings.Join(names, ",")
	return false, nil
}

// keysPath is the file of keys.
func (c *config) keysPath() string {
	if c.KeysFile != "" {
		return c.KeysFile
	}
	return filepath.Join(c.Data, keysFile)
}

// takes reports whether callers may be known by what is named.
func (c *config) takes(name string) bool { return slices.Contains(strings.Split(c.Auth, ","), name) }

// authenticates reports whether callers must say who they are.
func (c *config) authenticates() bool { return c.Auth != authOff }

// settleAuth finds out what callers are known by, and refuses what could not
// work, or would let in others than it says.
func (c *config) settleAuth() error {
	if c.Auth == "" {
		c.Auth, c.origin("WEIR_AUTH").From = c.authByWhatIsThere()
		c.origin("WEIR_AUTH").Text = c.Auth
	}
	if err := identity.CheckSecret(c.JWTSecret); err != nil {
		return usagef("%s %s", c.as("WEIR_JWT_SECRET"), err)
	}
	if err := identity.CheckJWKS(c.JWKSURL, c.JWTAudience); err != nil {
		return usagef("%s %s", c.as("WEIR_JWKS_URL"), err)
	}
	switch {
	case c.takes(authJWT) && c.JWTSecret == "" && c.JWKSURL == "":
		return usagef("%s is %s, but neither WEIR_JWT_SECRET nor WEIR_JWKS_URL is set", c.as("WEIR_AUTH"), c.Auth)
	case c.UserBurst > 0 && c.UserRate == 0 && !c.authenticates():
		return usagef("%s is set, but there is no WEIR_USER_RATE that it is a part of", c.as("WEIR_USER_BURST"))
	}
	return nil
}

func (c *config) authByWhatIsThere() (auth, from string) {
	var names, why []string
	if _, err := os.Stat(c.keysPath()); c.KeysFile != "" || !errors.Is(err, fs.ErrNotExist) {
		names, why = append(names, authKeys), append(why, c.keysPath())
	}
	for _, env := range []string{"WEIR_JWT_SECRET", "WEIR_JWKS_URL"} {
		if c.given(env) {
			if !slices.Contains(names, authJWT) {
				names = append(names, authJWT)
			}
			why = append(why, env)
		}
	}
	if names == nil {
		return authOff, "default"
	}
	return strings.Join(names, ","), "default (there is " + strings.Join(why, " and ") + ")"
}

// userRate is how many calls a user may make in a minute; 0: any number.
func (c *config) userRate() int {
	const byDefault = 1200
	if c.UserRate == 0 && c.authenticates() {
		return byDefault
	}
	return c.UserRate
}

// userBurst is how many of these may come at once.
func (c *config) userBurst() int {
	if c.UserBurst > 0 {
		return c.UserBurst
	}
	return max(1, c.userRate()/6)
}

// checkPublic refuses an address that others can reach where whoever reaches
// the server is any user they say they are.
func (c *config) checkPublic() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("%s: %v", c.as("WEIR_LISTEN"), err)
	}
	if c.authenticates() {
		return nil
	}
	if isLocal(host) {
		return c.checkForwarded()
	}
	return usagef("%s %s can be reached by others, and nobody is asked who they are (WEIR_AUTH is off); make a key (weir key create --user NAME), set WEIR_JWT_SECRET or WEIR_JWKS_URL, or listen on 127.0.0.1",
		c.as("WEIR_LISTEN"), c.Listen)
}

// checkForwarded refuses, on a loopback address, what only a server needs that
// others reach through a proxy, unless it was said that nobody is asked: else a file of
// keys that got lost would open it to all of them with the next start.
func (c *config) checkForwarded() error {
	if c.given("WEIR_AUTH") {
		return nil
	}
	shows := ""
	switch {
	case len(c.TrustedProxies) > 0:
		shows = "WEIR_TRUSTED_PROXIES"
	case len(c.ACMEDomains) > 0:
		shows = "WEIR_ACME_DOMAINS"
	case slices.ContainsFunc(c.Hosts, func(h string) bool { return !isLocal(h) }):
		shows = "WEIR_HOSTS"
	default:
		return nil
	}
	return usagef("%s is set, so that others reach the server through a proxy, and nobody is asked who they are; make a key (weir key create --user NAME), set WEIR_JWT_SECRET or WEIR_JWKS_URL, or, if the proxy asks them and sets X-User-ID itself, say WEIR_AUTH=off",
		c.as(shows))
}
