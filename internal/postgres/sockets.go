package postgres

import (
	"context"
	"net"
	"sync"
	"time"
)

// parting is how long the connections have to say goodbye when the store
// closes.
const parting = time.Second

// sockets are the open ones of a store, so that they can be closed under a
// driver that waits for a database which does not answer any more.
type sockets struct {
	mu   sync.Mutex
	open map[*socket]struct{}
	over bool // no more are opened
}

type socket struct {
	net.Conn // nil while it is being opened
	of       *sockets
	giveUp   context.CancelFunc // opening it
}

// dial makes a connection whose dead end is noticed within half a minute. After
// cut it makes none: where a connection breaks, the driver asks over a new one
// for what was on it to be cancelled, and waits for the end of that.
func (s *sockets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	c := &socket{of: s, giveUp: giveUp}
	if !s.begin(c) {
		return nil, net.ErrClosed
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	conn, err := dialer.DialContext(ctx, network, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.over {
		_ = conn.Close() // nothing was said on it
		err = net.ErrClosed
	}
	if err != nil {
		delete(s.open, c)
		return nil, err
	}
	c.Conn = conn
	return c, nil
}

// begin takes note of one that is being opened, if any still are.
func (s *sockets) begin(c *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.open == nil {
		s.open = make(map[*socket]struct{})
	}
	s.open[c] = struct{}{}
	return true
}

// Close closes the socket.
func (c *socket) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// cut closes all that are open, and has no more opened.
func (s *sockets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for c := range s.open {
		if c.Conn == nil {
			c.giveUp()
			continue
		}
		_ = c.Conn.Close() // nobody waits for what it says
	}
}
