package pgtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Ports from which nothing is taken for outgoing connections, nor for who asks
// for any port, on any common system: one that is chosen here is still free when
// the server has been made, and when it is started again after Stop.
const firstPort, endPort = 20000, 32000

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	var l net.Listener
	var err error
	for range 64 {
		n := firstPort + rand.IntN(endPort-firstPort)
		if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n))); err == nil {
			return n, l.Close()
		}
	}
	return 0, err
}

// connect is [pgx.Connect], but where the server has no connection left it is
// tried again for a while: those that were closed a moment ago may not have
// ended yet.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		var told *pgconn.PgError
		if err == nil || !errors.As(err, &told) || told.Code != tooManyConnections {
			return conn, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// tooManyConnections is the code of a connection for which there is no room.
const tooManyConnections = "53300"
