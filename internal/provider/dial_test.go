package provider

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
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
	n := Network{MaxConns: 3, DialTimeout: 20 * time.Millisecond, Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) { // whatever its ctx says
			questions.Add(1)
			<-release
			return nil, errors.New("at last")
		},
	}}
	d, end := NewDialer(n)
	defer end()
	for range 20 {
		if _, err := d.Dial(t.Context(), "tcp", "provider.test.:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if asked := questions.Load(); asked < 1 || asked > 2*3 || len(d.lookups) != 3 { // one for each kind of address
		t.Errorf("%d questions of %d look-ups", asked, len(d.lookups))
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
			d, end := NewDialer(Network{MaxConns: 8, DialTimeout: time.Second})
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

// TestDialerEndsItsConnections: what a Dialer has opened does not outlive it,
// in use or not.
func TestDialerEndsItsConnections(t *testing.T) {
	mine := make(chan net.Conn, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		mine <- c
		_, _ = c.Read(make([]byte, 1)) // until it is closed
		c.Close()
	})
	defer all.Wait()
	defer l.Close()
	addr := l.Addr().String()
	d, end := NewDialer(Network{MaxConns: 8, DialTimeout: time.Second})
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	<-mine
	end()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Dial(t.Context(), "tcp", addr); err == nil {
		t.Error("a connection was opened after the end")
	}
}
