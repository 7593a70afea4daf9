package chaos

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// http1 is a connection that speaks HTTP/1.1, and the sink of the answer of
// the moment.
type http1 struct {
	net.Conn // with TLS on it, if there is any
	base     *conn
	in       *bufio.Reader
	bound    *io.LimitedReader // beneath in
	held     []byte            // a head that is to go with the first write
	chunked  bool
}

// serve1 serves calls until one of the sides has had enough.
func (p *Provider) serve1(c *conn, over net.Conn) {
	bound := &io.LimitedReader{R: over}
	h := &http1{Conn: over, base: c, bound: bound, in: bufio.NewReader(bound)}
	for n := 1; ; n++ {
		const maxHead = 64 << 10
		bound.N = maxHead + maxBody
		req, err := http.ReadRequest(h.in)
		if err != nil {
			return
		}
		r, err := h.read(req)
		if err != nil {
			return
		}
		if !p.answer(h, r, &call{conn: c, nth: n, on: h}) || req.Close || r.tooLong {
			return
		}
	}
}

// read reads the body of a request.
func (h *http1) read(req *http.Request) (request, error) {
	if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(h, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return request{}, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1)) //nolint:forbidigo // bounded
	if err != nil {
		return request{}, err
	}
	return request{method: req.Method, path: req.URL.Path, body: body, tooLong: len(body) > maxBody}, req.Body.Close()
}

func (h *http1) head(status int, header http.Header, length int) error {
	h.held = headBytes(status, header, length)
	h.chunked = length < 0
	return nil
}

// headBytes is a head of an answer as it goes over the wire.
func headBytes(status int, header http.Header, length int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http.StatusText(status), time.Now().UTC().Format(http.TimeFormat))
	if header.Get("Content-Type") == "" {
		b.WriteString("Content-Type: application/json\r\n")
	}
	_ = header.Write(&b) // a Builder never fails
	if length < 0 {
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	} else {
		b.WriteString("Content-Length: " + strconv.Itoa(length) + "\r\n\r\n")
	}
	return []byte(b.String())
}

func (h *http1) write(b []byte) error {
	out := h.held
	h.held = nil
	if h.chunked && len(b) > 0 {
		out = append(strconv.AppendInt(out, int64(len(b)), 16), "\r\n"...)
		out = append(append(out, b...), "\r\n"...)
	} else {
		out = append(out, b...)
	}
	if len(out) == 0 {
		return nil
	}
	_, err := h.Write(out)
	return err
}

func (h *http1) end() error {
	if err := h.write(nil); err != nil || !h.chunked {
		return err
	}
	_, err := io.WriteString(h, "0\r\n\r\n")
	return err
}

func (h *http1) watch() (gone <-chan struct{}, forget func()) {
	left, read := make(chan struct{}), make(chan struct{})
	go func() { // ends in forget, which is always called
		defer close(read)
		if _, err := h.in.Peek(1); err != nil {
			close(left)
		}
	}()
	return left, func() {
		_ = h.SetReadDeadline(time.Unix(1, 0))
		<-read
		_ = h.SetReadDeadline(time.Time{})
	}
}

// abort ends the connection in order: what comes too early is the end of the
// stream.
func (h *http1) abort() { finish(h.Conn, h.base) }

// finish closes the sending side, with FIN and beneath TLS with its own sign,
// and reads until the peer has left, as to close with something unread would
// be RST.
func finish(over net.Conn, base *conn) {
	if t, ok := over.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite()
	}
	_ = base.CloseWrite()
	base.listenOn()
}
