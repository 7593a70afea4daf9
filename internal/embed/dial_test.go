package embed

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// TestLookupsAreBounded: look-ups that nothing ends, as the operating system's
// may be, are as many as there are slots and no more; who wants one is back in
// time.
func TestLookupsAreBounded(t *testing.T) {
	release := make(chan struct{})
	var questions atomic.Int32
	cfg := Config{MaxConcurrent: 3, DialTimeout: 20 * time.Millisecond, Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) { // whatever its ctx says
			questions.Add(1)
			<-release
			return nil, errors.New("at last")
		},
	}}
	d, end := newDialer(cfg.WithDefaults())
	defer end()
	for range 20 {
		if _, err := d.dial(t.Context(), "tcp", "provider.test.:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if n := questions.Load(); n < 1 || n > 2*3 || len(d.lookups) != 3 { // one for each kind of address
		t.Errorf("%d questions of %d look-ups", n, len(d.lookups))
	}
	close(release)
	for range 3 { // there is room again
		d.lookups <- struct{}{}
	}
}

// TestAddresses: of several addresses one that answers is found.
func TestAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, refuses := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	tests := []struct {
		name string
		ips  []netip.Addr
		ok   bool
	}{
		{"one", []netip.Addr{here}, true},
		{"the first", []netip.Addr{here, refuses}, true},
		{"the last", []netip.Addr{refuses, refuses, here}, true},
		{"none", []netip.Addr{refuses, refuses}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, end := newDialer(Config{}.WithDefaults())
			defer end()
			c, err := d.first(t.Context(), "tcp", port, tt.ips)
			if (err == nil) != tt.ok {
				t.Fatal(err)
			}
			if c != nil {
				c.Close()
			}
		})
	}
}

// TestClientEndsItsConnections: what a Client has opened does not outlive it,
// in use or not.
func TestClientEndsItsConnections(t *testing.T) {
	mine := make(chan net.Conn, 1)
	addr := listen(t, func(_ int, c net.Conn) {
		mine <- c
		_, _ = c.Read(make([]byte, 1)) // until it is closed
	})
	d, end := newDialer(Config{}.WithDefaults())
	c, err := d.dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	<-mine
	end()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := d.dial(t.Context(), "tcp", addr); err == nil {
		t.Error("a connection was opened after the end")
	}
}
