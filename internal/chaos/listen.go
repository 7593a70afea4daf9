package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// entrance is the listener and what becomes of it. It is used under the
// Provider's setting.
type entrance struct {
	*net.TCPListener // nil: nothing listens
	addr             netip.AddrPort
	accepting        chan struct{} // closed when accept has returned; nil: it does not run
	fill             []net.Conn    // what keeps a black hole full
}

// Ports from which nothing is taken for outgoing connections on any common
// system, so that a port given up for a while is still free afterwards.
const firstPort, endPort = 20000, 32000

// listen listens on loopback: at addr, or at a port of its choice.
func listen(ctx context.Context, addr netip.AddrPort) (*entrance, error) {
	var l net.Listener
	var err error
	for range 64 {
		at := addr
		if !at.IsValid() {
			port := uint16(firstPort + rand.N(endPort-firstPort)) //nolint:gosec // it fits
			at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
		}
		var lc net.ListenConfig
		if l, err = lc.Listen(ctx, "tcp4", at.String()); err == nil {
			break
		}
		if addr.IsValid() {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close()
		return nil, fmt.Errorf("chaos: a listener of type %T", l)
	}
	to, err := netip.ParseAddrPort(tcp.Addr().String())
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("chaos: %w", err)
	}
	return &entrance{TCPListener: tcp, addr: to}, nil
}

// open accepts from now on.
func (p *Provider) open() {
	e, done := p.entrance, make(chan struct{})
	e.accepting = done
	l := e.TCPListener
	p.all.Go(func() {
		defer close(done)
		p.accept(l)
	})
}

func (p *Provider) accept(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		var lack net.Error
		switch {
		case err == nil:
			p.receive(c)
		case errors.As(err, &lack) && lack.Timeout(), errors.Is(err, net.ErrClosed):
			return
		default: // no file descriptors, or a peer that left already: the next may be well
			if !p.pause(10 * time.Millisecond) {
				return
			}
		}
	}
}

// pause waits for d; false: the provider ends.
func (p *Provider) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	}
}

// rest stops accepting; what listens goes on listening.
func (e *entrance) rest() error {
	if e.accepting == nil {
		return nil
	}
	if err := e.SetDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	<-e.accepting
	e.accepting = nil
	return e.SetDeadline(time.Time{})
}

// Close gives all up; nobody may be between rest and open.
func (e *entrance) Close() {
	for _, c := range e.fill {
		_ = c.Close()
	}
	e.fill = nil
	if e.TCPListener != nil {
		_ = e.TCPListener.Close()
	}
}

// admit makes the entrance what the door of a fault needs.
func (p *Provider) admit(ctx context.Context, d door) error {
	e := p.entrance
	switch d {
	case doorRefuses:
		if e.TCPListener == nil {
			return nil
		}
		if err := e.unplug(); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
		if err := e.rest(); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
		e.Close()
		e.TCPListener = nil
		return nil
	case doorBlackHole:
		if !plugs {
			return fmt.Errorf("%w: a black hole", ErrSystem)
		}
		if err := p.listening(ctx); err != nil {
			return err
		}
		if err := e.rest(); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
		if err := e.plug(ctx); err != nil {
			return fmt.Errorf("chaos: the black hole: %w", err)
		}
		return nil
	case doorOpen, doorSilent, doorClosed:
		return p.listening(ctx)
	default:
		return fmt.Errorf("chaos: no such door: %d", d)
	}
}

// listening makes the entrance listen and accept.
func (p *Provider) listening(ctx context.Context) error {
	e := p.entrance
	if e.TCPListener == nil {
		again, err := listen(ctx, p.addr)
		if err != nil {
			return err
		}
		e.TCPListener = again.TCPListener
	}
	if err := e.unplug(); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if e.accepting == nil {
		p.open()
	}
	return nil
}

// receive gives a connection its goroutine, or closes it when there is no
// room.
func (p *Provider) receive(raw *net.TCPConn) {
	c := &conn{TCPConn: raw}
	p.mu.Lock()
	p.counted(func(s *Stats) { s.Connections++ })
	if p.closed || len(p.conns) >= p.cfg.MaxConnections {
		p.mu.Unlock()
		_ = raw.Close()
		return
	}
	p.conns[c] = struct{}{}
	p.counted(func(s *Stats) { s.Open++ })
	row := p.row
	p.mu.Unlock()
	p.all.Go(func() {
		defer func() {
			_ = c.Close()
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.conns, c)
			p.counted(func(s *Stats) { s.Open-- })
		}()
		p.serve(c, row)
	})
}

// serve speaks with one connection until it ends.
func (p *Provider) serve(c *conn, row Entry) {
	switch row.door {
	case doorOpen:
	case doorClosed, doorRefuses: // the latter: it slipped in while the door closed
		p.failed()
		return
	case doorSilent, doorBlackHole:
		p.failed()
		c.listenOn()
		return
	}
	if p.cfg.Wire == Plain {
		p.serve1(c, c)
		return
	}
	p.serveTLS(c, row)
}

// failed counts an attempt that came to no call.
func (p *Provider) failed() { p.count(func(s *Stats) { s.Attempts++ }) }
