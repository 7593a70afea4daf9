package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/openai"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/http2"
)

// TestClose: with callers caught in every way, nothing is left.
func TestClose(t *testing.T) {
	for _, wire := range anyWire() {
		for _, f := range []Fault{"", Never, Silent, BlackHole, Refuses, TLSStall, HTTP2Dark, HalfThenSilence, EndlessBody, DNSSilent, FewSlotsQueue} {
			row, _ := Lookup(f)
			if f != "" && !hasWire(row, wire) || f == BlackHole && !plugs {
				continue
			}
			t.Run(string(f)+"/"+wire.String(), func(t *testing.T) {
				alive := goleak.IgnoreCurrent()
				// Not the test's: Close alone must do.
				p, err := Start(context.WithoutCancel(t.Context()), Config{Dim: dim, Wire: wire, Latency: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				if f != "" {
					if err := p.Set(t.Context(), f); err != nil {
						t.Fatal(err)
					}
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				m := &meeting{T: t, Provider: p, wire: wire, url: p.URL(), client: p.client(t)}
				var callers sync.WaitGroup
				const n = 6
				for range n {
					callers.Go(func() {
						resp, err := m.client.Do(m.request(ctx, "", "a text"))
						if err == nil {
							// Nobody reads: the writer is stuck.
							<-ctx.Done()
							resp.Body.Close()
						}
					})
				}
				switch {
				case f == BlackHole, f == Refuses, f == HTTP2Dark: // nothing comes in
				case f == DNSSilent:
					lookUp(t, p) // net.Resolver would go on after it was left
					m.await(func(s Stats) bool { return s.Lookups > 0 })
				case wire == HTTP2 && row.door == doorOpen && row.cert == certGood:
					m.await(func(s Stats) bool { return s.InFlight == n })
				default:
					m.await(func(s Stats) bool { return s.Open == n })
				}
				addr := p.Addr()
				if err := errors.Join(p.Close(), p.Close()); err != nil {
					t.Error(err)
				}
				if s := p.Stats(); s.Open != 0 || s.InFlight != 0 {
					t.Errorf("%+v", s)
				}
				l, err := net.Listen("tcp", addr)
				if err != nil {
					t.Fatalf("the address is not free: %v", err)
				}
				l.Close()
				if err := p.Heal(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("Heal after Close: %v", err)
				}
				leave()
				callers.Wait()
				m.client.CloseIdleConnections()
				goleak.VerifyNone(t, alive)
			})
		}
	}
}

// lookUp asks for the provider's address and does not wait for the answer.
func lookUp(t *testing.T, p *Provider) {
	t.Helper()
	q, err := (&dnsmessage.Message{Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(hostname + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}}}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp4", p.names.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(q); err != nil {
		t.Fatal(err)
	}
}

func hasWire(e Entry, w Wire) bool {
	for _, one := range e.Wires {
		if one == w {
			return true
		}
	}
	return false
}

// TestContextEnds: the end of Start's ctx is an end as Close is.
func TestContextEnds(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	p, err := Start(ctx, Config{})
	if err != nil {
		t.Fatal(err)
	}
	end()
	<-p.done
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	for _, cfg := range []Config{{Dim: -1}, {Dim: maxValues + 1}, {Slots: -1}, {Latency: -1}, {Drip: -1}} {
		if p, err := Start(t.Context(), cfg); err == nil {
			p.Close()
			t.Errorf("%+v was taken", cfg)
		}
	}
	m := meet(t, Plain, false)
	for f, want := range map[Fault]error{"": ErrUnknown, "nonsense": ErrUnknown, TLSStall: ErrWire, HTTP2Dark: ErrWire} {
		if err := m.Set(t.Context(), f); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", f, err, want)
		}
	}
	m.whole()
	for _, tt := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"models", "GET", "/models", "", 200},
		{"not JSON", "POST", "/embeddings", "{", 400},
		{"no input", "POST", "/embeddings", `{"model":"m","input":[]}`, 400},
		{"too many values", "POST", "/embeddings", `{"model":"m","dimensions":16384,"input":["` + strings.Repeat(`a","`, 300) + `"]}`, 413},
		{"too long", "POST", "/embeddings", `{"model":"m","input":"` + strings.Repeat("a", maxBody) + `"}`, 413},
		{"method", "GET", "/embeddings", "", 405},
		{"path", "POST", "/nothing", "", 404},
		{"dimensions", "POST", "/embeddings", `{"model":"m","dimensions":3,"input":"a"}`, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, m.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := m.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			if err != nil || resp.StatusCode != tt.want {
				t.Errorf("%d %s, %v", resp.StatusCode, body, err)
			}
			if tt.name == "dimensions" {
				if a, err := openai.DecodeEmbeddings(body, openai.Limits{Items: 1, Values: 3}); err != nil || len(a.Data[0].Vector) != 3 {
					t.Errorf("%v: %s", err, body)
				}
			}
		})
	}
}

func TestMaxConnections(t *testing.T) {
	p, err := Start(t.Context(), Config{Dim: dim, MaxConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	m := &meeting{T: t, Provider: p}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range 3 {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		m.await(func(s Stats) bool { return s.Connections == i+1 })
	}
	if n, err := conns[2].Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the third connection: %d, %v", n, err)
	}
	if s := p.Stats(); s.Open != 2 {
		t.Errorf("%+v", s)
	}
}

// TestChanges: faults follow each other, in the table's order, under callers
// who do not stop. No answer is ever another text's, and the end is well.
func TestChanges(t *testing.T) {
	for _, wire := range anyWire() {
		t.Run(wire.String(), func(t *testing.T) {
			t.Parallel()
			p, err := Start(t.Context(), Config{Dim: dim, Wire: wire, Drip: time.Millisecond, Slow: time.Millisecond, Tail: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			m := &meeting{T: t, Provider: p, wire: wire, url: p.URL(), client: p.client(t)}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var callers sync.WaitGroup
			tried := make(chan struct{})
			for i := range 8 {
				callers.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						text := fmt.Sprintf("caller %d asks %d", i, n)
						soon, done := context.WithTimeout(ctx, 20*time.Millisecond)
						got := m.ask(soon, openai.Base64, text)
						done()
						if a, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: 1, Values: dim}); got.err == nil && got.status == 200 && err == nil &&
							len(a.Data) == 1 && a.Data[0].Index == 0 && a.Data[0].Err == nil && len(a.Data[0].Vector) == dim && a.Data[0].Vector[1] != 0 {
							if v := a.Data[0].Vector; !math.IsNaN(float64(v[0])) && !Matches(text, v) {
								t.Errorf("%q was answered with the vector of another text", text)
							}
						}
						select {
						case tried <- struct{}{}:
						case <-ctx.Done():
						}
					}
				})
			}
			for _, e := range Faults() {
				if !hasWire(e, wire) || e.door == doorBlackHole && !plugs {
					continue
				}
				for range 4 {
					<-tried
				}
				if err := p.Set(ctx, e.Fault); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				<-tried
			}
			if err := p.Heal(ctx); err != nil {
				t.Fatal(err)
			}
			stop()
			callers.Wait()
			m.client = p.client(t)
			m.whole()
			m.await(func(s Stats) bool { return s.InFlight == 0 })
		})
	}
}

func TestVector(t *testing.T) {
	cosine := func(a, b string) (sum float64) {
		w := Vector(b, 256)
		for i, x := range Vector(a, 256) {
			sum += float64(x) * float64(w[i])
		}
		return sum
	}
	for _, tt := range []struct {
		name, a, b string
		from, to   float64
		same       bool
	}{
		{"equal", "the deductible is 500 dollars", "the deductible is 500 dollars", 0.9999, 1.0001, true},
		{"order", "a b", "b a", 0.9, 0.999, false},
		{"case", "A b", "a b", 0.9, 0.999, false},
		{"half shared", "annual deductible for dental care", "annual deductible for vision loss", 0.35, 0.85, false},
		{"nothing shared", "annual deductible", "northern mountains", -0.4, 0.4, false},
		{"no words", "?!", "!?", -0.4, 0.4, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c := cosine(tt.a, tt.b); c < tt.from || c > tt.to {
				t.Errorf("%v, want %v to %v", c, tt.from, tt.to)
			}
			if Matches(tt.a, Vector(tt.b, 256)) != tt.same {
				t.Errorf("Matches: %v", !tt.same)
			}
		})
	}
	for _, d := range []int{1, 2, 64} {
		var norm float64
		for _, x := range Vector("a text", d) {
			norm += float64(x) * float64(x)
		}
		if math.Abs(norm-1) > 1e-5 {
			t.Errorf("%d values of length² %v", d, norm)
		}
	}
	if Matches("a", nil) || Matches("a", make([]float32, 8)) || Matches("a", []float32{float32(math.NaN())}) {
		t.Error("what is no vector matches")
	}
}

// TestTail: the tail is as heavy as Config says.
func TestTail(t *testing.T) {
	const n = 20_000
	ten, hundred := 0, 0
	for i := range n {
		d := tail(time.Millisecond, i+1)
		if d < time.Millisecond || d > time.Second {
			t.Fatalf("%v", d)
		}
		if d >= 10*time.Millisecond {
			ten++
		}
		if d >= 100*time.Millisecond {
			hundred++
		}
	}
	if ten < n/16 || ten > n/10 || hundred < n/220 || hundred > n/120 {
		t.Errorf("of %d, %d took ten times, %d a hundred times as long", n, ten, hundred)
	}
}

// written is a connection of which only what is written counts.
type written struct {
	net.Conn
	bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) { return w.Buffer.Write(b) }
func (w *written) Read([]byte) (int, error)    { return 0, io.EOF }

// FuzzFramed: wherever writes are cut, the last frame comes between two whole
// ones and nothing after it.
func FuzzFramed(f *testing.F) {
	f.Add([]byte{0, 3, 100}, uint8(1), uint16(5))
	f.Add([]byte{255, 0, 0, 1}, uint8(200), uint16(300))
	f.Add([]byte{}, uint8(9), uint16(0))
	f.Fuzz(func(t *testing.T, lengths []byte, cut uint8, at uint16) {
		var all bytes.Buffer
		to := http2.NewFramer(&all, nil)
		for i, n := range lengths {
			if err := to.WriteData(uint32(i)+1, false, make([]byte, n)); err != nil {
				t.Skip()
			}
		}
		out := &written{}
		w := &framed{Conn: out}
		size, sent, asked := int(cut)+1, 0, false
		for b := all.Bytes(); len(b) > 0; b = b[min(size, len(b)):] {
			if sent >= int(at) && !asked {
				asked = true
				if err := w.goAway(7, http2.ErrCodeInternal); err != nil {
					t.Fatal(err)
				}
			}
			n, err := w.Write(b[:min(size, len(b))])
			if err != nil || n != min(size, len(b)) {
				t.Fatalf("%d, %v", n, err)
			}
			sent += n
		}
		if !asked {
			if err := w.goAway(7, http2.ErrCodeInternal); err != nil {
				t.Fatal(err)
			}
		}
		const goAwayLen = 9 + 8
		wire := out.Bytes()
		data := wire[:len(wire)-goAwayLen]
		if !bytes.HasPrefix(all.Bytes(), data) || len(data) < min(int(at), all.Len()) {
			t.Fatalf("%d of %d bytes before the end, which was asked for at %d", len(data), all.Len(), at)
		}
		for len(data) > 0 { // whole frames
			n := 9 + int(binary.BigEndian.Uint32(append([]byte{0}, data[:3]...)))
			data = data[n:]
		}
		fr, err := http2.NewFramer(nil, bytes.NewReader(wire[len(wire)-goAwayLen:])).ReadFrame()
		if g, ok := fr.(*http2.GoAwayFrame); err != nil || !ok || g.LastStreamID != 7 || g.ErrCode != http2.ErrCodeInternal {
			t.Fatalf("%v, %v", fr, err)
		}
	})
}
