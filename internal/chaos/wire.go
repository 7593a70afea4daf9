package chaos

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

func latencyFaults() []Entry {
	return []Entry{
		{
			Fault: Slow, Does: "answers rightly, but slowly, at a fixed pace", Expect: Answer, Codes: []Code{Timeout},
			Retry: true, Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return p.waits(s, p.cfg.Slow) && p.deliver(s, c)
			},
		},
		{
			Fault: HeavyTail, Does: "answers rightly, mostly fast; some answers take a hundred times as long", Expect: Mixed, Codes: []Code{Timeout},
			Retry: true, Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return p.waits(s, tail(p.cfg.Tail, c.seq)) && p.deliver(s, c)
			},
		},
		{
			Fault: Never, Does: "reads the request and never answers", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, _ *call) bool { return p.waits(s, -1) },
		},
	}
}

// tail is a Pareto distribution of shape 1.1 over its least value, cut at a
// thousand times that; the n-th value is always the same.
func tail(least time.Duration, n int) time.Duration {
	u := rand.New(rand.NewPCG(uint64(n), 3)).ExpFloat64() //nolint:gosec // n counts from 1
	return time.Duration(float64(least) * min(pareto(u), 1000))
}

// headFaults strike before the body.
func headFaults() []Entry {
	return []Entry{
		{
			Fault: HeadDrip, Does: "sends the head of the answer byte by byte", Expect: Failure, Codes: late(),
			Heals: true, Wires: oneWire(), call: func(p *Provider, s sink, c *call) bool {
				body := p.body(c)
				return drip(p, s, headBytes(http.StatusOK, c.header(), len(body)), func(b []byte) error { return raw(c, b) }) && raw(c, body) == nil
			},
		},
		{
			Fault: Endless1xx, Does: "sends interim answers (1xx) one by one and never the answer", Expect: Failure, Codes: late(),
			Heals: true, Wires: oneWire(), call: func(p *Provider, s sink, c *call) bool {
				for raw(c, []byte("HTTP/1.1 102 Processing\r\n\r\n")) == nil && p.waits(s, p.cfg.Drip) {
				}
				return false
			},
		},
		{
			Fault: Flood1xx, Does: "sends interim answers (1xx) as fast as they are read, without end", Expect: Failure, Codes: down(),
			Heals: true, Wires: oneWire(), call: func(_ *Provider, _ sink, c *call) bool {
				forever(c, bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\nLink: </nothing>\r\n\r\n"), 64))
				return false
			},
		},
		{
			Fault: EndlessHead, Does: "sends a head that has no end, as fast as it is read", Expect: Failure, Codes: down(),
			Heals: true, Wires: oneWire(), call: func(_ *Provider, _ sink, c *call) bool {
				if raw(c, []byte("HTTP/1.1 200 OK\r\n")) == nil {
					forever(c, bytes.Repeat([]byte("X-Nothing: nothing at all\r\n"), 128))
				}
				return false
			},
		},
	}
}

// bodyFaults strike in the body.
func bodyFaults() []Entry {
	return []Entry{
		{
			Fault: BodyDrip, Does: "sends the body byte by byte", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				body := p.body(c)
				return s.head(http.StatusOK, c.header(), len(body)) == nil && drip(p, s, body, s.write) && s.end() == nil
			},
		},
		{
			Fault: HalfThenSilence, Does: "sends half of the body, then nothing", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return half(p, s, c, 0) && p.waits(s, -1)
			},
		},
		{
			Fault: HalfThenFIN, Does: "sends half of the body and closes (HTTP/2: resets the stream)", Expect: Failure, Codes: down(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				if half(p, s, c, 0) {
					s.abort()
				}
				return false
			},
		},
		{
			Fault: HalfThenRST, Does: "sends half of the body and resets the connection (RST)", Expect: Failure, Codes: down(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				if half(p, s, c, 0) {
					c.conn.reset()
				}
				return false
			},
		},
		{
			Fault: ChunksUnended, Does: "sends the whole body in chunks, but not the last chunk that ends them", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return s.head(http.StatusOK, c.header(), -1) == nil && s.write(p.body(c)) == nil && p.waits(s, -1)
			},
		},
		{
			Fault: EndlessBody, Does: "sends a body that has no end, as fast as it is read", Expect: Failure, Codes: ill(),
			Heals: true, Wires: anyWire(), call: func(_ *Provider, s sink, c *call) bool {
				return endless(s, c.header(), []byte(c.opening()), bytes.Repeat([]byte("0,"), 8<<10))
			},
		},
		{
			Fault: GzipBomb, Does: "sends gzip that grows a thousandfold and has no end", Expect: Failure, Codes: ill(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return endless(s, c.header("Content-Encoding", "gzip"), p.bomb.fuse, p.bomb.charge)
			},
		},
		{
			Fault: LengthTooLong, Does: "promises a longer body than it sends, and keeps the connection", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				body := p.body(c)
				return s.head(http.StatusOK, c.header(), len(body)+1000) == nil && s.write(body) == nil && p.waits(s, -1)
			},
		},
		{
			Fault: LengthTooShort, Does: "promises a shorter body than it sends", Expect: Failure, Codes: down(),
			Heals: true, Wires: oneWire(), call: func(p *Provider, _ sink, c *call) bool {
				body := p.body(c)
				return raw(c, append(headBytes(http.StatusOK, c.header(), len(body)/2), body...)) == nil
			},
		},
	}
}

// opening begins an answer that is as it should be, as far as it goes.
const opening = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[`

// bombs are the parts of a gzip stream without end: its members may follow
// each other for ever.
type bombs struct{ fuse, charge []byte }

func (b *bombs) build() {
	member := func(plain []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(plain) // a Buffer never fails
		_ = z.Close()
		return out.Bytes()
	}
	b.fuse, b.charge = member([]byte(opening)), member(bytes.Repeat([]byte("0,"), 512<<10))
}

// raw writes past all framing.
func raw(c *call, b []byte) error {
	if c.on == nil {
		return io.ErrClosedPipe // not the wire for it
	}
	_, err := c.on.Write(b)
	return err
}

func forever(c *call, b []byte) {
	for raw(c, b) == nil {
	}
}

func endless(s sink, h http.Header, first, then []byte) bool {
	err := s.head(http.StatusOK, h, -1)
	for b := first; err == nil; b = then {
		err = s.write(b)
	}
	return false
}

// half sends the head, for a whole body, and half of the body; unknown < 0: the
// head does not tell the length.
func half(p *Provider, s sink, c *call, unknown int) bool {
	body := p.body(c)
	length := len(body)
	if unknown < 0 {
		length = -1
	}
	return s.head(http.StatusOK, c.header(), length) == nil && s.write(body[:len(body)/2]) == nil
}

// drip writes b byte by byte.
func drip(p *Provider, s sink, b []byte, write func([]byte) error) bool {
	for i := range b {
		if i > 0 && !p.waits(s, p.cfg.Drip) || write(b[i:i+1]) != nil {
			return false
		}
	}
	return true
}
