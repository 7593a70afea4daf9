package chaos

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// plugs: a full accept queue drops the SYN of whoever comes next.
const plugs = true

var errNotFull = errors.New("the accept queue does not fill up")

// plug fills the accept queue, while nobody accepts, until a connection to it
// is no longer made. A queue of length 0 has room for one connection; those who
// came before accepting stopped may be in it as well.
func (e *entrance) plug(ctx context.Context) error {
	if len(e.fill) > 0 {
		return nil
	}
	if err := e.backlog(0); err != nil {
		return err
	}
	const tries, wait = 8, 100 * time.Millisecond // on loopback, a connection is made in 0.1 ms
	for range tries {
		dialer := net.Dialer{Timeout: wait}
		c, err := dialer.DialContext(ctx, "tcp4", e.addr.String())
		var out net.Error
		switch {
		case err == nil:
			e.fill = append(e.fill, c)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &out) && out.Timeout(): // full, of ours or of others
			return nil
		default:
			return err
		}
	}
	return errNotFull
}

// unplug takes out what plug has put in.
func (e *entrance) unplug() error {
	for _, c := range e.fill {
		_ = c.Close()
	}
	e.fill = nil
	return e.backlog(syscall.SOMAXCONN)
}

// backlog sets the length of the accept queue, which listening anew does to a
// socket that listens.
func (e *entrance) backlog(n int) error {
	raw, err := e.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = syscall.Listen(int(fd), n) }); err != nil {
		return err
	}
	return inner
}
