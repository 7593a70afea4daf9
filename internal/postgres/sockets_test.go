package postgres

import (
	"errors"
	"net"
	"testing"
)

// TestSocketsAfterTheCut: what the driver opens when its connections are cut
// would be waited for like those.
func TestSocketsAfterTheCut(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var s sockets
	before, err := s.dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.cut()
	if _, err := before.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read of one that was open: %v", err)
	}
	if after, err := s.dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("another was opened, %v", err)
		_ = after.Close()
	}
	if err := before.Close(); !errors.Is(err, net.ErrClosed) || len(s.open) != 0 {
		t.Errorf("closed: %v, %d are open", err, len(s.open))
	}
}
