package drill

import (
	"context"

	"weir/internal/chaos"
)

// provider is what the drill wants of one that misbehaves.
type provider interface {
	Set(ctx context.Context, f chaos.Fault) error
	Heal(ctx context.Context) error
	Stats() chaos.Stats
	Await(ctx context.Context, ok func(chaos.Stats) bool) error
	Close() error
	place(named bool) Place
}

// onSockets is the provider of chaos.
type onSockets struct {
	*chaos.Provider
	cfg chaos.Config
}

func startChaos(ctx context.Context, cfg chaos.Config) (provider, error) {
	p, err := chaos.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return onSockets{p, cfg}, nil
}

func (r onSockets) place(named bool) Place {
	at := Place{URL: r.URL(), Model: r.cfg.Model, Dim: r.cfg.Dim}
	if r.cfg.Wire != chaos.Plain {
		at.Roots = r.RootCAs()
	}
	if named {
		at.URL, at.Resolver = r.NamedURL(), r.Resolver()
	}
	return at
}

// peak keeps the most connections there were until ctx ends.
func peak(ctx context.Context, p provider) int {
	most := 0
	_ = p.Await(ctx, func(s chaos.Stats) bool { // its error is that ctx ended
		most = max(most, s.Open)
		return false
	})
	return most
}
