package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/rag"
)

const (
	ownerUser = rag.User("default") // of an owner who names none
	anyID     = "aaaaaaaaaaaaa"     // of no key
)

// Gate finds out who calls. It is safe for concurrent use.
type Gate struct {
	cfg     Config
	ring    *keyring // nil: no API keys
	tokens  *tokens  // nil: no tokens
	issuer  *issuer  // nil: no keys to be fetched
	owner   [sha256.Size]byte
	uses    *uses // nil: no API keys
	holds   *holds
	wrong   *meter[netip.Addr]
	refused atomic.Int64
}

// New reads the file of keys, which need not be there yet. Run must be running
// for changes to be seen and keys to be fetched.
func New(cfg Config) (*Gate, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Gate{cfg: cfg, wrong: newMeter[netip.Addr](cfg.Failures, max(1, cfg.Failures/3), maxMetered)}
	g.holds = &holds{judge: g.judge, now: cfg.now, calls: map[*hold]struct{}{}}
	if cfg.KeysFile != "" {
		ring, err := newKeyring(cfg.KeysFile, cfg.Log)
		if err != nil {
			return nil, err
		}
		ring.changed = g.holds.lookAtAll
		g.ring = ring
		g.uses = newUses(UsesPath(cfg.KeysFile), cfg.Log, cfg.now, func(id string) bool { _, known := ring.find(id); return known })
	}
	if cfg.JWKSURL != "" {
		g.issuer = newIssuer(cfg)
	}
	if cfg.JWTSecret != "" || g.issuer != nil {
		g.tokens = newTokens(cfg, g.issuer)
	}
	g.owner = sha256.Sum256([]byte(cfg.OwnerSecret))
	return g, nil
}

// Run follows the file of keys, writes down when they were used and fetches those of the
// issuer, until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	var work sync.WaitGroup
	if g.ring != nil {
		work.Go(func() { g.ring.watch(ctx) })
		work.Go(func() { g.uses.run(ctx) })
	}
	if g.issuer != nil {
		work.Go(func() { g.issuer.run(ctx) })
	}
	work.Wait()
}

// Reload reads the file of keys again. One that cannot be used changes nothing.
func (g *Gate) Reload(ctx context.Context) {
	if g.ring != nil {
		g.ring.refresh(ctx, true)
	}
}

// Admit says who makes a request; asked is the user that it names, "" when it
// names none. A service that names none has no user. Errors are Unauthorized,
// Forbidden, RateLimited, and Unavailable when a token cannot be checked now.
func (g *Gate) Admit(ctx context.Context, r *http.Request, asked rag.User) (rag.Caller, error) {
	credential, none, ok := bearer(r.Header)
	if none {
		return rag.Caller{}, &rag.Error{
			Code: rag.Unauthorized, Field: "Authorization",
			Msg: "this server asks who calls: send an API key or a token as Authorization: Bearer …",
		}
	}
	var caller rag.Caller
	err := error(refusal("the header cannot be read"))
	if ok {
		caller, err = g.know(ctx, r, credential, asked)
	}
	var told *rag.Error
	switch {
	case err == nil:
		return caller, nil
	case ctx.Err() != nil:
		return rag.Caller{}, ctx.Err()
	case errors.As(err, &told):
		return rag.Caller{}, told
	default:
		return rag.Caller{}, g.refuse(ctx, r, err)
	}
}

// refuse counts a wrong credential, and says no.
func (g *Gate) refuse(ctx context.Context, r *http.Request, why error) error {
	g.refused.Add(1)
	from := neighbourhood(remote(r))
	_, _, wait, ok := g.wrong.take(from, g.cfg.now())
	if !ok {
		return &rag.Error{
			Code: rag.RateLimited, Phase: "identity", RetryAfter: wait,
			Msg: "too many wrong keys or tokens came from this address", Err: why,
		}
	}
	// Not each one: as many as the meter lets through.
	g.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "a caller was refused", slog.String("reason", why.Error()), slog.String("remote", from.String()), slog.String("operation_id", rag.Operation(ctx)))
	msg := "the key or token is not valid here"
	if slices.Contains([]error{keyExpired, keyRevoked, tokenExpired, tokenEarly}, why) {
		msg = why.Error()
	}
	return &rag.Error{Code: rag.Unauthorized, Field: "Authorization", Msg: msg, Err: why}
}

func (g *Gate) know(ctx context.Context, r *http.Request, credential string, asked rag.User) (rag.Caller, error) {
	switch {
	case strings.HasPrefix(credential, ownerPrefix):
		return g.knowOwner(r, credential, asked)
	case strings.HasPrefix(credential, keyPrefix):
		return g.knowKey(credential, asked)
	case g.tokens == nil:
		return rag.Caller{}, refusal("it is no API key, and tokens are not taken")
	}
	caller, err := g.tokens.check(ctx, credential)
	if err != nil {
		return rag.Caller{}, err
	}
	return caller, actsFor(caller.User, asked)
}

// actsFor refuses one user's caller who names another.
func actsFor(user, asked rag.User) error {
	if asked == "" || asked == user {
		return nil
	}
	return &rag.Error{Code: rag.Forbidden, Field: "X-User-ID", Msg: "X-User-ID: this key or token is another user's; leave the header out, or use a service's key"}
}

func (g *Gate) knowOwner(r *http.Request, credential string, asked rag.User) (rag.Caller, error) {
	sum := sha256.Sum256([]byte(credential))
	if subtle.ConstantTimeCompare(sum[:], g.owner[:]) != 1 || g.cfg.OwnerSecret == "" {
		return rag.Caller{}, refusal("it is not the secret of this process's data folder")
	}
	if !sameMachine(r) {
		return rag.Caller{}, refusal("the secret of the data folder came from elsewhere")
	}
	if asked == "" {
		asked = ownerUser
	}
	return rag.Caller{User: asked, Kind: rag.CallerOwner, Rights: rag.AllRights}, nil
}

func (g *Gate) knowKey(credential string, asked rag.User) (rag.Caller, error) {
	if g.ring == nil {
		return rag.Caller{}, refusal("API keys are not taken")
	}
	id, raw, ok := readKey(credential)
	if !ok { // and the same work as for one that could be
		id, raw = anyID, make([]byte, secretBytes)
	}
	k, known := g.ring.find(id)
	if !known {
		k.SHA256 = hashOf(anyID, nil) // of no secret, as it is too short
	}
	if right := k.matches(hashOf(id, raw)); !ok || !known || !right {
		return rag.Caller{}, refusal("the API key is wrong")
	}
	switch k.State(g.cfg.now()) {
	case "revoked":
		return rag.Caller{}, keyRevoked
	case "expired":
		return rag.Caller{}, keyExpired
	}
	g.uses.note(k.ID, g.cfg.now())
	caller := rag.Caller{User: k.User, Kind: rag.CallerKey, KeyID: k.ID, Rights: k.Rights()}
	if !k.Service {
		return caller, actsFor(k.User, asked)
	}
	if asked != "" && !k.serves(asked) {
		return rag.Caller{}, &rag.Error{Code: rag.Forbidden, Field: "X-User-ID", Msg: "X-User-ID: this key may not act for that user"}
	}
	caller.User = asked
	return caller, nil
}

// Ready says why nobody can be let in, if so.
func (g *Gate) Ready() error {
	if g.issuer == nil || g.ring != nil || g.tokens.secret != nil {
		return nil
	}
	return g.issuer.ready()
}

// Look is how it stands with a Gate.
type Look struct {
	Keys       *int       `json:"keys,omitempty"`            // in the file; absent: none are taken
	KeysError  string     `json:"keys_error,omitempty"`      // why the file is not what is in force
	Tokens     bool       `json:"tokens"`                    // are taken
	IssuerKeys *int       `json:"issuer_keys,omitempty"`     // absent: none are fetched
	Fetched    *time.Time `json:"issuer_fetched,omitempty"`  // when they came; absent: never
	FetchError string     `json:"issuer_error,omitempty"`    // of the last attempt
	Refused    int64      `json:"refused"`                   // wrong keys and tokens since the start
	Forgotten  int64      `json:"meters_forgotten,omitzero"` // addresses that were forgotten before their time
}

// Look is how it stands, as a Look; it is for /v1/status.
func (g *Gate) Look() any { return g.State() }

// State is how it stands. It waits for nothing but mutexes.
func (g *Gate) State() Look {
	l := Look{Tokens: g.tokens != nil, Refused: g.refused.Load()}
	if g.ring != nil {
		n, trouble := g.ring.look()
		l.Keys = &n
		if trouble != nil {
			l.KeysError = trouble.Error()
		}
	}
	if g.issuer != nil {
		n, fetched, trouble := g.issuer.look()
		l.IssuerKeys = &n
		if !fetched.IsZero() {
			l.Fetched = &fetched
		}
		if trouble != nil {
			l.FetchError = trouble.Error()
		}
	}
	g.wrong.mu.Lock()
	l.Forgotten = g.wrong.forgot
	g.wrong.mu.Unlock()
	return l
}
