package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// leeway is how far the clocks of issuer and server may differ.
const leeway = 30 * time.Second

// minSecret is the shortest secret for HS256, in bytes (RFC 7518, section 3.2).
const minSecret = 32

// tokens checks what another has signed (JWT, RFC 7519 and 8725).
type tokens struct {
	secret []byte  // for HS256; nil: none
	issuer *issuer // for RS256 and ES256; nil: none
	parser *jwt.Parser
}

func newTokens(c Config, from *issuer) *tokens {
	t := &tokens{issuer: from}
	var methods []string
	if c.JWTSecret != "" {
		t.secret = []byte(c.JWTSecret)
		methods = append(methods, "HS256")
	}
	if from != nil {
		methods = append(methods, "RS256", "ES256")
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(c.now),
	}
	if c.JWTIssuer != "" {
		options = append(options, jwt.WithIssuer(c.JWTIssuer))
	}
	if c.JWTAudience != "" {
		options = append(options, jwt.WithAudience(c.JWTAudience))
	}
	t.parser = jwt.NewParser(options...)
	return t
}

// check returns the caller that a token names. Its errors are refusal, what
// ended ctx, and Unavailable when the keys of the issuer cannot be had.
func (t *tokens) check(ctx context.Context, text string) (rag.Caller, error) {
	// By exact names: a struct would take "Sub" for "sub".
	c := jwt.MapClaims{}
	_, err := t.parser.ParseWithClaims(text, c, func(tok *jwt.Token) (any, error) { return t.key(ctx, tok) })
	if err != nil {
		return rag.Caller{}, reason(err)
	}
	// Supabase gives the key of a project's public pages this role. It is nobody's
	// token, and in everybody's hands.
	if c["role"] == "anon" {
		return rag.Caller{}, refusal("the token is of the role anon, which is nobody")
	}
	sub, _ := c["sub"].(string) // "" is refused
	if err := checkUser(rag.User(sub)); err != nil {
		return rag.Caller{}, refusal("the token's sub " + err.Error())
	}
	exp, err := c.GetExpirationTime() // was required
	if err != nil || exp == nil {
		return rag.Caller{}, refusal("the token's exp cannot be read")
	}
	iss, _ := c["iss"].(string) // may be absent, unless the settings name one
	return rag.Caller{User: rag.User(sub), Kind: rag.CallerToken, Issuer: shortIssuer(iss), Rights: rag.MayRead | rag.MayWrite, Expires: exp.UTC().Add(leeway)}, nil
}

// shortIssuer is an issuer as it may be written down.
func shortIssuer(iss string) string {
	const most = 256
	if len(iss) > most || !printable(iss) {
		return "?"
	}
	return iss
}

// key picks the key for a token by the algorithm that the token must have for
// it: never a public key for HS256, never the secret for another.
func (t *tokens) key(ctx context.Context, tok *jwt.Token) (any, error) {
	if _, there := tok.Header["crit"]; there { // RFC 7515, section 4.1.11: none of it is understood
		return nil, refusal("the token's header has crit")
	}
	if typ, there := tok.Header["typ"]; there {
		s, ok := typ.(string)
		s = strings.TrimPrefix(strings.ToLower(s), "application/")
		if !ok || !slices.Contains([]string{"jwt", "at+jwt"}, s) {
			return nil, refusal("the token's typ is not JWT")
		}
	}
	kid := ""
	if v, there := tok.Header["kid"]; there {
		s, ok := v.(string)
		if !ok || len(s) > maxKid {
			return nil, refusal("the token's kid is not the name of a key")
		}
		kid = s
	}
	switch alg := tok.Method.Alg(); {
	case alg == "HS256" && t.secret != nil:
		return t.secret, nil
	case (alg == "RS256" || alg == "ES256") && t.issuer != nil:
		return t.issuer.key(ctx, kid, alg)
	default: // the parser has refused it already
		return nil, refusal("the token's alg is not taken")
	}
}

// reason is why a token was refused, without anything of the token.
func reason(err error) error {
	var own refusal
	var told *rag.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("while waiting for the issuer's keys: %w", err)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refusal("the token is malformed")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refusal("the token's signature or alg is not right")
	case errors.Is(err, jwt.ErrTokenExpired):
		return tokenExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return tokenEarly
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refusal("the token lacks a claim that it must have (exp, iss, aud)")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return refusal("the token is of another issuer")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refusal("the token is for another audience")
	default:
		return refusal("the token cannot be verified")
	}
}
