package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// Replays bounds how often net/http sends the request of one attempt by
// itself. It sends it again for as long as each try ends with a GOAWAY, or a
// kept connection turns out to be closed, thousands of times if need be.
type Replays struct {
	// Most is how often the request may be sent again.
	Most int32
	// May is asked before it is; nil: it may.
	May func() bool
	// Fresh sees to it that the next connection is a new one.
	Fresh func()

	asked atomic.Int32 // requests that were meant
	sent  atomic.Int32 // requests whose body was begun to be sent
	conns atomic.Int32 // how many connections the request was given
}

const (
	// MaxReplays is how often in a first try; in further ones, never.
	MaxReplays = 1
	// maxConns counts connections that turned out to be closed before anything
	// was sent, too.
	maxConns = 32
)

// ErrReplayed is the cause of the end of a request that came to nothing twice.
var ErrReplayed = errors.New("the request was given back again and again")

// Bound returns r, which is to be made under ctx, bounded. cancel ends ctx.
func (n *Replays) Bound(ctx context.Context, r *http.Request, cancel context.CancelCauseFunc) *http.Request {
	n.asked.Add(1)
	again := r.GetBody
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if n.conns.Add(1) > maxConns {
				cancel(ErrReplayed)
			}
		},
	}))
	r.Body = &body{ReadCloser: r.Body, begun: func() { n.sent.Add(1) }}
	r.GetBody = func() (io.ReadCloser, error) {
		if n.sent.Load()-n.asked.Load() >= n.Most || (n.May != nil && !n.May()) {
			return nil, ErrReplayed
		}
		n.Fresh() // the connections that are kept are no better than the one that failed
		b, err := again()
		if err != nil {
			return nil, err
		}
		return &body{ReadCloser: b, begun: func() { n.sent.Add(1) }}, nil
	}
	return r
}

// body tells when it is begun to be read.
type body struct {
	io.ReadCloser
	once  sync.Once
	begun func()
}

func (b *body) Read(p []byte) (int, error) {
	b.once.Do(b.begun)
	return b.ReadCloser.Read(p)
}
