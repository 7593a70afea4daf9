package chaos

import (
	"net"
	"sync/atomic"
)

// conn is a connection as it was accepted. It can go dark: what comes is
// swallowed, what goes is lost, and neither side is told.
type conn struct {
	*net.TCPConn
	dark atomic.Bool
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.TCPConn.Read(b)
		if err != nil || !c.dark.Load() {
			return n, err
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	if c.dark.Load() {
		return len(b), nil
	}
	return c.TCPConn.Write(b)
}

// listenOn swallows what comes until the peer leaves or c is closed.
func (c *conn) listenOn() {
	swallow(c.TCPConn)
}

func swallow(c net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// reset ends the connection with RST, as the crash of a peer or a middlebox
// does.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}
