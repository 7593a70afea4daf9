package chaos

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Config says what a provider is like. A zero means the default.
type Config struct {
	// Dim is how many values a vector has. Defaults to 1536.
	Dim int
	// Model is the name it gives to its model. Defaults to chaos.
	Model string
	// Wire is how it is spoken to. Defaults to Plain.
	Wire Wire
	// Latency is how long a right answer takes. Defaults to none, and to 80 ms
	// where slots are few.
	Latency time.Duration
	// Slow is how long an answer takes under the fault slow. Defaults to 300 ms.
	Slow time.Duration
	// Tail is the least an answer takes under the fault heavy-tail, where one in
	// twelve takes ten times as long and one in 160 a hundred times. Defaults to
	// 20 ms.
	Tail time.Duration
	// Drip is the time between two bytes, or two interim answers, of those that
	// come one by one. Defaults to 50 ms.
	Drip time.Duration
	// Slots is how many calls at a time the faults with few slots bear.
	// Defaults to 4.
	Slots int
	// MaxConnections is how many connections are open at a time; further ones
	// are closed as soon as they are accepted. Defaults to 4096.
	MaxConnections int

	// timer is time.NewTimer, but for tests.
	timer func(time.Duration) (fires <-chan time.Time, stop func() bool)
}

func (c Config) withDefaults() Config {
	c.Dim = cmp.Or(c.Dim, 1536)
	c.Model = cmp.Or(c.Model, "chaos")
	c.Slow = cmp.Or(c.Slow, 300*time.Millisecond)
	c.Tail = cmp.Or(c.Tail, 20*time.Millisecond)
	c.Drip = cmp.Or(c.Drip, 50*time.Millisecond)
	c.Slots = cmp.Or(c.Slots, 4)
	c.MaxConnections = cmp.Or(c.MaxConnections, 4096)
	if c.timer == nil {
		c.timer = func(d time.Duration) (<-chan time.Time, func() bool) {
			t := time.NewTimer(d)
			return t.C, t.Stop
		}
	}
	return c
}

// Errors of Set.
var (
	ErrUnknown = errors.New("chaos: there is no such fault")
	ErrWire    = errors.New("chaos: the fault cannot be had on this wire")
	ErrSystem  = errors.New("chaos: the fault cannot be had on this system")
	ErrClosed  = errors.New("chaos: the provider is closed")
)

// Provider is a provider that misbehaves. It is safe for concurrent use.
type Provider struct {
	cfg   Config
	addr  netip.AddrPort
	certs certificates
	h2    *http2.Server //nolint:staticcheck // see serve2
	names *names
	slots chan struct{} // a value for each slot that is taken
	bomb  bombs
	done  chan struct{} // closed at the end: nobody waits further
	all   sync.WaitGroup
	once  sync.Once
	stop  func() bool // forgets the ctx of Start

	setting  sync.Mutex // held while one fault follows another; taken before mu
	entrance *entrance

	mu      sync.Mutex
	row     Entry // the fault; zero: none
	since   int   // calls since it was set
	struck  bool  // whether a fault that strikes once has
	conns   map[*conn]struct{}
	stats   Stats
	changed chan struct{} // closed, and replaced, with each count
	closed  bool
}

// Start starts a provider that answers rightly. It ends with Close, which must
// be called, or with ctx.
func Start(ctx context.Context, cfg Config) (*Provider, error) {
	cfg = cfg.withDefaults()
	if cfg.Dim < 1 || cfg.Dim > maxValues || cfg.Slots < 1 || cfg.MaxConnections < 1 {
		return nil, fmt.Errorf("chaos: Dim must be from 1 to %d, Slots and MaxConnections at least 1", maxValues)
	}
	if cfg.Latency < 0 || cfg.Slow < 0 || cfg.Tail < 0 || cfg.Drip < 0 {
		return nil, errors.New("chaos: a time must not be negative")
	}
	p := &Provider{
		cfg: cfg, h2: &http2.Server{MaxConcurrentStreams: 1000}, //nolint:staticcheck // see serve2
		slots: make(chan struct{}, cfg.Slots), done: make(chan struct{}),
		conns: map[*conn]struct{}{}, changed: make(chan struct{}),
	}
	p.bomb.build()
	if cfg.Wire != Plain {
		var err error
		if p.certs, err = newCertificates(time.Now()); err != nil {
			return nil, err
		}
	}
	var err error
	if p.names, err = p.listenNames(ctx); err != nil {
		return nil, err
	}
	if p.entrance, err = listen(ctx, netip.AddrPort{}); err != nil {
		_ = p.names.Close()
		return nil, err
	}
	p.addr = p.entrance.addr
	p.all.Go(p.answerNames)
	p.open()
	p.stop = context.AfterFunc(ctx, p.end)
	return p, nil
}

// URL is the base URL to configure, ending in /v1.
func (p *Provider) URL() string { return p.scheme() + "://" + p.addr.String() + "/v1" }

// NamedURL is the same with a name in place of the address, which none but
// Resolver resolves.
func (p *Provider) NamedURL() string {
	return fmt.Sprintf("%s://%s:%d/v1", p.scheme(), hostname, p.addr.Port())
}

// Addr is where it listens, as host:port.
func (p *Provider) Addr() string { return p.addr.String() }

func (p *Provider) scheme() string {
	if p.cfg.Wire == Plain {
		return "http"
	}
	return "https"
}

// RootCAs are the authorities to trust. On the wire Plain there are none.
func (p *Provider) RootCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	if p.certs.authority != nil {
		pool.AddCert(p.certs.authority)
	}
	return pool
}

// Set makes the provider misbehave from now on, in place of what it did
// before. A fault that only a new connection can meet breaks those that are
// open. Its error is one of ErrUnknown, ErrWire, ErrSystem, ErrClosed, or the
// system's, after which the provider may be unreachable until the next Set or
// Heal succeeds.
func (p *Provider) Set(ctx context.Context, f Fault) error {
	row, known := Lookup(f)
	switch {
	case !known:
		return fmt.Errorf("%w: %q", ErrUnknown, f)
	case !slices.Contains(row.Wires, p.cfg.Wire):
		return fmt.Errorf("%w: %s on %s", ErrWire, f, p.cfg.Wire)
	}
	return p.become(ctx, row)
}

// Heal ends the fault. Calls that it has caught stay caught.
func (p *Provider) Heal(ctx context.Context) error { return p.become(ctx, Entry{}) }

// Current is the fault of the moment; "": none.
func (p *Provider) Current() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.row.Fault
}

func (p *Provider) become(ctx context.Context, row Entry) error {
	p.setting.Lock()
	defer p.setting.Unlock()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.row, p.since, p.struck = row, 0, false
	p.counted(func(s *Stats) { s.MaxInFlight = s.InFlight })
	var sever []*conn
	for c := range p.conns {
		switch {
		case row.fresh():
			sever = append(sever, c)
		case row.dark:
			c.dark.Store(true)
			p.struck = true
		}
	}
	p.mu.Unlock()
	err := p.admit(ctx, row.door)
	// Only now: whoever comes back at once must meet the new door.
	for _, c := range sever {
		_ = c.Close()
	}
	return err
}

// Close ends the provider and returns when no goroutine and no socket of it is
// left.
func (p *Provider) Close() error {
	p.stop()
	p.end()
	p.all.Wait()
	return nil
}

// end begins the end, once, without waiting for it.
func (p *Provider) end() {
	p.once.Do(func() {
		p.mu.Lock()
		p.closed = true
		close(p.done)
		open := make([]*conn, 0, len(p.conns))
		for c := range p.conns {
			open = append(open, c)
		}
		p.mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
		_ = p.names.Close()
		p.setting.Lock() // after closed is set: no Set opens the door again
		defer p.setting.Unlock()
		p.entrance.Close()
	})
}

// waits waits for d, or as long as it takes if d is negative. It returns false
// when there is nobody to answer to any more.
func (p *Provider) waits(s sink, d time.Duration) bool {
	if d == 0 {
		return true
	}
	var fires <-chan time.Time
	if d > 0 {
		t, stop := p.cfg.timer(d)
		defer stop()
		fires = t
	}
	gone, forget := s.watch()
	defer forget()
	select {
	case <-fires:
		return true
	case <-gone:
	case <-p.done:
	}
	return false
}

// tlsConfig is what a handshake shows.
func (p *Provider) tlsConfig(which cert) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{p.certs.of(which)}, NextProtos: []string{"http/1.1"}}
	if p.cfg.Wire == HTTP2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	return c
}
