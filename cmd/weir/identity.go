package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"weir/internal/httpapi"
	"weir/internal/identity"
	"weir/internal/metrics"
)

// porter stands at the door of a server: it finds out who calls, bounds what a
// user asks, and writes down who did what.
type porter struct {
	gate   *identity.Gate   // nil: whoever calls is who they say they are
	limits *identity.Limits // nil: none
	audit  *identity.Audit  // nil: none
	secret string           // by which other commands on the data folder are known; "": they need none
	log    *slog.Logger

	stops []func() // in this order
}

// newPorter reads the keys, and opens the audit log.
func newPorter(c config, log *slog.Logger) (*porter, error) {
	p := &porter{log: log}
	if c.authenticates() {
		p.secret = identity.NewOwnerSecret()
		cfg := identity.Config{OwnerSecret: p.secret, Log: log, Proxy: http.ProxyFromEnvironment}
		if c.takes(authKeys) {
			cfg.KeysFile = c.keysPath()
		}
		if c.takes(authJWT) {
			cfg.JWTSecret, cfg.JWKSURL, cfg.CacheDir = c.JWTSecret, c.JWKSURL, c.Data
			cfg.JWTIssuer, cfg.JWTAudience = c.JWTIssuer, c.JWTAudience
		}
		gate, err := identity.New(cfg)
		if err != nil {
			return nil, err
		}
		p.gate = gate
	}
	if rate := c.userRate(); rate > 0 {
		p.limits = identity.NewLimits(rate, c.userBurst())
	}
	if c.AuditLog != "" {
		audit, err := identity.NewAudit(c.AuditLog, log)
		if err != nil {
			return nil, err
		}
		p.audit = audit
	}
	return p, nil
}

// atDoor has the door ask the porter.
func (p *porter) atDoor(d *httpapi.Config, m *metrics.Metrics) {
	if p.gate != nil {
		d.Gate = lookout{p.gate, p.audit}
	}
	if p.limits != nil {
		d.Limit = p.limits
	}
	if p.audit != nil {
		d.Audit = p.audit
	}
	if m != nil && (p.gate != nil || p.audit != nil) {
		m.WatchIdentity(p.numbers)
	}
}

// lookout is the gate, with how it stands with the audit log too.
type lookout struct {
	*identity.Gate
	audit *identity.Audit
}

// Look is what /v1/status shows.
func (l lookout) Look() any {
	var look struct {
		identity.Look
		Audit *identity.AuditState `json:"audit,omitempty"`
	}
	look.Look = l.State()
	if l.audit != nil {
		s := l.audit.State()
		look.Audit = &s
	}
	return look
}

// numbers are for the metrics.
func (p *porter) numbers() metrics.Identity {
	var n metrics.Identity
	if p.gate != nil {
		s := p.gate.State()
		n.Refused, n.KeysFailing, n.IssuerFailing = s.Refused, s.KeysError != "", s.FetchError != ""
	}
	if p.audit != nil {
		s := p.audit.State()
		n.Audited, n.AuditDropped, n.AuditFailing = s.Written, s.Dropped, s.Error != ""
	}
	return n
}

// begin starts the work beside the calls.
func (p *porter) begin(ctx context.Context) {
	if p.gate != nil {
		p.run(ctx, "following the keys", p.gate.Run)
	}
	if p.audit != nil {
		p.run(ctx, "writing the audit log", p.audit.Run)
	}
}

// porterPatience is how long the end waits for work that reads or writes files:
// the disk under them may hang, and what should be a file may be a pipe.
const porterPatience = 2 * time.Second

// run has work done until close, which waits for it, but not for ever.
func (p *porter) run(ctx context.Context, name string, work func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	p.stops = append(p.stops, func() {
		cancel()
		ended := make(chan struct{})
		go func() { running.Wait(); close(ended) }()
		t := time.NewTimer(porterPatience)
		defer t.Stop()
		select {
		case <-ended:
		case <-t.C:
			p.log.ErrorContext(ctx, "work did not end in time, and is left", "work", name)
		}
	})
}

// close ends the work. It comes after the last call.
func (p *porter) close() {
	for _, stop := range p.stops {
		stop()
	}
}

// checkKeys says for weir doctor who would be let in by a key. It says nothing
// where none are taken.
func checkKeys(c config) []finding {
	if !c.takes(authKeys) {
		return nil
	}
	keys, err := identity.ReadKeys(c.keysPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{bad("keys", "there is no file of keys %s yet; make a key with weir key create --user NAME", c.keysPath())}
	case err != nil:
		return []finding{bad("keys", "%v", err)}
	}
	active, now := 0, time.Now()
	for _, k := range keys {
		if k.State(now) == "active" {
			active++
		}
	}
	if active == 0 {
		return []finding{bad("keys", "none of the %d keys in %s is active", len(keys), c.keysPath())}
	}
	return []finding{good("keys", "%d of %d keys in %s are active", active, len(keys), c.keysPath())}
}
