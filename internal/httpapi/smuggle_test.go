package httpapi

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// conversation writes raw, half-closes and returns the status of each answer.
func (h *house) conversation(t *testing.T, raw string) (statuses []int) {
	t.Helper()
	c := h.dial(t)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err != nil {
			return statuses
		}
		statuses = append(statuses, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// TestSmuggling sends what two servers in a row may read as different requests.
// Either it is refused and the connection closed, or it is read in the one way
// that RFC 9112 has for it. In no case is what stands in a body done.
func TestSmuggling(t *testing.T) {
	const (
		inner = "DELETE /v1/documents/doc-1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
		post  = "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		body  = `{"query":"a"}`
	)
	for _, tt := range []struct {
		name, raw string
		first     int // status; 0: closed without a word
		deleted   bool
	}{
		{"two lengths", post + "Content-Length: 13\r\nContent-Length: 0\r\n\r\n" + body + inner, 400, false},
		{"two lengths in one", post + "Content-Length: 13, 0\r\n\r\n" + body + inner, 400, false},
		{"signed length", post + "Content-Length: +13\r\n\r\n" + body + inner, 400, false},
		{"negative length", post + "Content-Length: -1\r\n\r\n" + inner, 400, false},
		{"hexadecimal length", post + "Content-Length: 0xd\r\n\r\n" + body + inner, 400, false},
		{"length beyond numbers", post + "Content-Length: 99999999999999999999\r\n\r\n" + inner, 400, false},
		{"length with a space before the colon", post + "Content-Length : 13\r\n\r\n" + body + inner, 400, false},
		{"folded header", post + "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 13\r\n\r\n" + body, 200, false},
		{"folded length", post + "Content-Length:\r\n 13\r\n\r\n" + body + inner, 200, true},
		{"bare CR in a header", post + "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 13\r\n\r\n" + body, 400, false},
		{"NUL in a header", post + "X-A: b\x00\r\nContent-Length: 13\r\n\r\n" + body + inner, 400, false},
		{"unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n" + inner, 501, false},
		{"coding after chunked", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner, 501, false},
		{"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner, 501, false},
		{"vertical tab before chunked", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + inner, 400, false},
		{"chunked in HTTP/1.0", "POST /v1/retrieve HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + inner, 400, false},
		{"chunk of negative size", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + inner, 400, false},
		{"chunk size with 0x", post + "Transfer-Encoding: chunked\r\n\r\n0xd\r\n" + body + "\r\n0\r\n\r\n" + inner, 400, false},
		{"chunk size beyond numbers", post + "Transfer-Encoding: chunked\r\n\r\n1000000000000000d\r\n" + body + "\r\n0\r\n\r\n" + inner, 400, false},
		{"chunk without its end", post + "Transfer-Encoding: chunked\r\n\r\nd\r\n" + body + "XX0\r\n\r\n" + inner, 400, false},
		{"long chunk extension", post + "Transfer-Encoding: chunked\r\n\r\nd;" + strings.Repeat("a", 20_000) + "\r\n" + body + "\r\n0\r\n\r\n" + inner, 400, false},
		{"no host", "POST /v1/retrieve HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, false},
		{"two hosts", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400, false},
		{"host of the line and of the header", "GET http://evil.example/v1/documents HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, false},
		{"space in the target", "GET /v1/documents HTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, false},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, false},
		{"a body where there is none", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + strconv.Itoa(len(inner)) + "\r\n\r\n" + inner, 200, false},

		// What follows a body in chunks may be meant as the rest of it.
		{"chunked and a length", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n" + body + "\r\n0\r\n\r\n" + inner, 200, false},
		{"chunked and no length", post + "Transfer-Encoding: chunked\r\n\r\nd\r\n" + body + "\r\n0\r\n\r\n" + inner, 200, false},
		{"a trailer", post + "Transfer-Encoding: chunked\r\n\r\nd\r\n" + body + "\r\n0\r\nHost: evil.example\r\nX-User-ID: eve\r\n\r\n" + inner, 200, false},

		{"one after the other", post + "Content-Length: 13\r\n\r\n" + body + inner, 200, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, Config{BodyTimeout: 600 * time.Millisecond, IdleTimeout: 600 * time.Millisecond, HeaderTimeout: 600 * time.Millisecond}, rag.Config{})
			h.shelf.put(defaultUser, "a.txt", "a", rag.Ready)
			got := h.conversation(t, tt.raw)
			first := 0
			if len(got) > 0 {
				first = got[0]
			}
			deleted := len(h.shelf.docs) == 0
			if first != tt.first || deleted != tt.deleted {
				t.Errorf("statuses %v, deleted %v", got, deleted)
			}
			if first >= 400 && len(got) > 1 {
				t.Errorf("after the refusal it went on: %v", got)
			}
		})
	}
}

// Slow headers, on a new connection and on one that is kept.
func TestSlowHeadersAreCutOff(t *testing.T) {
	h := newHouse(t, Config{HeaderTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}, rag.Config{})
	for _, tt := range []struct{ name, raw string }{
		{"nothing", ""},
		{"half a line", "GET /v1/docu"},
		{"half the headers", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nX-A: "},
		{"after a request", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/doc"},
		{"no other request", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := h.dial(t)
			if _, err := io.WriteString(c, tt.raw); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil { // it ends
				t.Logf("ended with %v", err)
			}
		})
	}
	h = newHouse(t, Config{IdleTimeout: 50 * time.Millisecond}, rag.Config{}) // so many take longer on a busy machine
	big := "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n"
	if got := h.conversation(t, big); len(got) != 1 || got[0] != 431 {
		t.Errorf("64 KiB of headers: %v", got)
	}
	many := "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n"
	if got := h.conversation(t, many); len(got) != 1 || got[0] != 431 {
		t.Errorf("many headers: %v", got)
	}
}
