package provider

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"time"
)

// Dialer opens the connections of one pipeline. What it begins ends within its
// time limit or with the pipeline, and what outlives that all the same, a
// look-up that the operating system does not let go of, is bounded in number.
//
// net.Dialer alone does not do that: a look-up that its caller has left goes on
// for up to 10 s, and look-ups of one name are shared, so that none ends before
// the last of them.
type Dialer struct {
	net      net.Dialer
	limit    time.Duration // for the look-up and connecting together
	resolver *net.Resolver
	lookups  chan struct{} // a value for each look-up under way
	// atEnd calls f when the pipeline is closed, unless it is told to forget it.
	atEnd func(f func()) (forget func() bool)
	// ended is an error as soon as the pipeline is closed. What atEnd calls runs
	// a moment later, and a connection may be quicker.
	ended func() error
}

// errNoAddress is for a name that exists and has no address.
var errNoAddress = errors.New("the name has no address")

// stagger is how long an address is tried before the next one is tried beside
// it (RFC 8305, section 5).
const stagger = 250 * time.Millisecond

// NewDialer returns the Dialer of a pipeline, and what ends all it has begun.
func NewDialer(n Network) (d *Dialer, end func()) {
	life, end := context.WithCancel(Lifetime(nil))
	r := n.Resolver
	if r == nil {
		r = &net.Resolver{}
	}
	return &Dialer{
		net: net.Dialer{KeepAlive: 15 * time.Second}, limit: n.DialTimeout, resolver: r,
		lookups: make(chan struct{}, n.MaxConns),
		atEnd:   func(f func()) func() bool { return context.AfterFunc(life, f) },
		ended:   life.Err,
	}, end
}

// Dial connects to addr, within the limit. The connection is closed with the
// Client, whatever it is in the middle of.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	defer d.atEnd(cancel)()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	c, err := d.first(ctx, network, port, ips)
	if err != nil {
		return nil, err
	}
	if err := d.ended(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &lasting{Conn: c, forget: d.atEnd(func() { _ = c.Close() })}, nil
}

// lasting is a connection that does not outlive its pipeline.
type lasting struct {
	net.Conn
	forget func() bool
}

func (l *lasting) Close() error {
	l.forget()
	return l.Conn.Close()
}

// lookup returns the addresses of host, the best one first.
func (d *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.DNSStart != nil {
		t.DNSStart(httptrace.DNSStartInfo{Host: host})
	}
	select {
	case d.lookups <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type found struct {
		ips []netip.Addr
		err error
	}
	done := make(chan found, 1)
	go func() { // ends with ctx, unless the operating system looks it up; the next one waits for it
		defer func() { <-d.lookups }()
		ips, err := prompt(ctx, d.resolver).LookupNetIP(Lifetime(nil), "ip", host) //nolint:contextcheck // the look-up ends with ctx by way of prompt
		for i, ip := range ips {
			ips[i] = ip.Unmap()
		}
		done <- found{ips, err}
	}()
	select {
	case f := <-done:
		if f.err == nil && len(f.ips) == 0 {
			f.err = errNoAddress
		}
		if f.err != nil && ctx.Err() != nil {
			f.err = ctx.Err()
		}
		return f.ips, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// prompt is r for one look-up, the questions of which end with ctx. It is not
// r itself, so that the look-up is shared with no other.
func prompt(ctx context.Context, r *net.Resolver) *net.Resolver {
	ask := r.Dial
	if ask == nil {
		var d net.Dialer
		ask = d.DialContext
	}
	return &net.Resolver{
		PreferGo: r.PreferGo, StrictErrors: r.StrictErrors,
		Dial: func(its context.Context, network, addr string) (net.Conn, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			its, cancel := context.WithCancel(its)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			c, err := ask(its, network, addr)
			if err != nil {
				return nil, err
			}
			return asking(ctx, c), nil
		},
	}
}

// asking returns c, a connection to a name server, which is closed with ctx.
// Whether it keeps to packets is told by its type.
func asking(ctx context.Context, c net.Conn) net.Conn {
	l := &lasting{Conn: c, forget: context.AfterFunc(ctx, func() { _ = c.Close() })}
	if p, ok := c.(net.PacketConn); ok {
		return packets{l, p}
	}
	return l
}

type packets struct {
	*lasting
	p net.PacketConn
}

func (c packets) ReadFrom(b []byte) (int, net.Addr, error)   { return c.p.ReadFrom(b) }
func (c packets) WriteTo(b []byte, to net.Addr) (int, error) { return c.p.WriteTo(b, to) }

// first connects to the first of ips that answers. Each is tried when the one
// before has failed, or was silent for a while.
func (d *Dialer) first(ctx context.Context, network, port string, ips []netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		c   net.Conn
		err error
	}
	results := make(chan result)
	try := func(ip netip.Addr) {
		c, err := d.net.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		results <- result{c, err}
	}
	due := time.NewTimer(0)
	defer due.Stop()
	var won net.Conn
	var failed error
	for begun, ended := 0, 0; ended < begun || (won == nil && begun < len(ips)); {
		select {
		case <-due.C:
			if won == nil && begun < len(ips) {
				go try(ips[begun])
				begun++
				due.Reset(stagger)
			}
		case r := <-results:
			ended++
			switch {
			case r.err != nil:
				failed = cmp.Or(failed, r.err)
				due.Reset(0)
			case won == nil:
				won = r.c
				cancel() // the others end now
			default:
				_ = r.c.Close()
			}
		}
	}
	if won == nil {
		return nil, failed
	}
	return won, nil
}
