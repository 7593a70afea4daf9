package chaos

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// serve2 serves calls over HTTP/2 until the connection ends.
func (p *Provider) serve2(c *conn, over net.Conn) {
	w := &framed{Conn: over}
	var calls handlers
	//nolint:staticcheck // net/http's own takes listeners; a connection of ours is to be served, and waited for
	p.h2.ServeConn(w, &http2.ServeConnOpts{
		BaseConfig: &http.Server{MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: time.Minute},
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if !calls.enter() {
				return
			}
			defer calls.all.Done()
			p.handle2(c, w, rw, r)
		}),
	})
	_ = w.Close()
	calls.wait()
}

// handlers are those of one connection. net/http begins them in goroutines of
// their own, the last of which may get going when the connection is over.
type handlers struct {
	mu   sync.Mutex
	over bool
	all  sync.WaitGroup
}

// enter counts a handler in; false: its connection is over, and nobody waits for it.
func (h *handlers) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	h.all.Add(1)
	return true
}

// wait returns when all that entered are done; nobody enters any more.
func (h *handlers) wait() {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	h.all.Wait()
}

func (p *Provider) handle2(c *conn, w *framed, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1)) //nolint:forbidigo // bounded
	if err != nil {
		return
	}
	s := &stream{w: rw, gone: r.Context().Done()}
	in := request{method: r.Method, path: r.URL.Path, body: body, tooLong: len(body) > maxBody}
	if !p.answer(s, in, &call{conn: c, h2: w}) {
		panic(http.ErrAbortHandler) // RST_STREAM, in place of a polite end
	}
}

// stream is the sink of a call over HTTP/2.
type stream struct {
	w    http.ResponseWriter
	gone <-chan struct{}
}

func (s *stream) head(status int, h http.Header, length int) error {
	to := s.w.Header()
	to.Set("Content-Type", "application/json")
	for k, v := range h {
		to[k] = v
	}
	if length >= 0 {
		to.Set("Content-Length", itoa(length))
	}
	s.w.WriteHeader(status)
	return nil
}

func (s *stream) write(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

func (s *stream) end() error { return nil } // with the handler

func (s *stream) watch() (gone <-chan struct{}, forget func()) { return s.gone, func() {} }

func (s *stream) abort() { panic(http.ErrAbortHandler) }

// framed is the writing side of an HTTP/2 connection. It knows where frames
// end, so that a frame of ours can be put between those of the server.
type framed struct {
	net.Conn
	mu   sync.Mutex
	head []byte // of a frame that has begun, as far as it was written
	left int    // bytes of its payload to come
	last []byte // the frame that is to be the last
	dead bool   // it was; what is written further is lost
}

func (f *framed) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return len(b), nil
	}
	if f.last == nil {
		f.pass(b)
		return f.Conn.Write(b)
	}
	n := f.rest(b)
	if _, err := f.Conn.Write(b[:n]); err != nil {
		return 0, err
	}
	return len(b), f.finish()
}

// pass follows b through its frames.
func (f *framed) pass(b []byte) {
	const headLen = 9
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, len(b))
			f.left, b = f.left-n, b[n:]
			continue
		}
		n := min(headLen-len(f.head), len(b))
		f.head, b = append(f.head, b[:n]...), b[n:]
		if len(f.head) == headLen {
			f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
			f.head = f.head[:0]
		}
	}
}

// rest passes the bytes of b that belong to a frame that has begun, and counts
// them.
func (f *framed) rest(b []byte) int {
	for n := range b {
		if f.left == 0 && len(f.head) == 0 {
			return n
		}
		f.pass(b[n : n+1])
	}
	return len(b)
}

// finish writes the last frame if there is room between two others.
func (f *framed) finish() error {
	if f.left > 0 || len(f.head) > 0 {
		return nil
	}
	f.dead = true
	if _, err := f.Conn.Write(f.last); err != nil {
		return err
	}
	// The peer sees the end; we go on reading until it leaves, as closing with
	// something unread could take the frame back.
	if c, ok := f.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// goAway makes GOAWAY the last frame and ends the sending side: calls on
// streams up to last are lost, those above may be made again.
func (f *framed) goAway(last uint32, code http2.ErrCode) error {
	var b bytes.Buffer
	if err := http2.NewFramer(&b, nil).WriteGoAway(last, code, nil); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != nil {
		return nil
	}
	f.last = b.Bytes()
	return f.finish()
}
