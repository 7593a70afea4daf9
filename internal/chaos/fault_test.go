package chaos

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/internal/openai"
)

// TestFaults meets each fault of the table, on each of its wires, with a plain
// client, and wants to be well when it is over.
func TestFaults(t *testing.T) {
	checks := checks()
	for _, e := range Faults() {
		check := checks[e.Fault]
		if check == nil {
			t.Errorf("%s has no test", e.Fault)
			continue
		}
		for _, wire := range e.Wires {
			t.Run(string(e.Fault)+"/"+wire.String(), func(t *testing.T) {
				t.Parallel()
				if e.Fault == BlackHole && !plugs {
					t.Skip("not on this system")
				}
				m := meet(t, wire, e.Named)
				m.whole()
				if err := m.Set(t.Context(), e.Fault); err != nil {
					t.Fatal(err)
				}
				if e.fresh() { // whoever was connected is not any more
					m.await(func(s Stats) bool { return s.Open == 0 })
					m.client = m.Provider.client(t)
				}
				check(m)
				if m.Current() != e.Fault {
					t.Errorf("the fault is %q", m.Current())
				}
				if err := m.Heal(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !e.Heals {
					m.client = m.Provider.client(t)
				}
				m.whole()
			})
		}
	}
	if len(checks) != len(Faults()) {
		t.Errorf("%d tests for %d faults", len(checks), len(Faults()))
	}
}

func TestTable(t *testing.T) {
	seen := map[Fault]bool{}
	for _, e := range Faults() {
		if e.Fault == "" || e.Does == "" || strings.Contains(e.Does, "\n") || len(e.Wires) == 0 || seen[e.Fault] {
			t.Errorf("a row that is not whole or not alone: %+v", e.Fault)
		}
		if e.Expect != Answer && len(e.Codes) == 0 {
			t.Errorf("%s: which errors?", e.Fault)
		}
		seen[e.Fault] = true
	}
}

type check func(*meeting)

func checks() map[Fault]check {
	out := map[Fault]check{}
	for _, of := range []map[Fault]check{connectionChecks(), tlsChecks(), http2Checks(), wireChecks(), limitChecks(), contentChecks()} {
		for f, c := range of {
			out[f] = c
		}
	}
	return out
}

// caught: the provider has a call, and has not answered it.
func caught(s Stats) bool { return s.InFlight == 1 && s.Answered == 1 }

func connectionChecks() map[Fault]check {
	dns := func(ok func(*net.DNSError) bool) check {
		return func(m *meeting) {
			var e *net.DNSError
			if got := m.call(); !errors.As(got.err, &e) || !ok(e) {
				m.Errorf("%v", got.err)
			}
		}
	}
	return map[Fault]check{
		DNSUnknown: dns(func(e *net.DNSError) bool { return e.IsNotFound }),
		DNSFails:   dns(func(e *net.DNSError) bool { return !e.IsNotFound && e.IsTemporary && !e.IsTimeout }),
		DNSSilent: func(m *meeting) {
			was := m.Stats().Lookups
			m.hangs(func(s Stats) bool { return s.Lookups > was && s.Connections == 1 })
			m.client = m.Provider.client(m.T) // a resolver joins the look-up that still waits
		},
		Refuses: func(m *meeting) {
			if got := m.call(); !errors.Is(got.err, syscall.ECONNREFUSED) {
				m.Errorf("%v", got.err)
			}
		},
		BlackHole: func(m *meeting) {
			ctx, cancel := context.WithTimeout(m.Context(), 300*time.Millisecond)
			defer cancel()
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", m.Addr())
			if err == nil {
				c.Close()
			}
			if !isTimeout(err) {
				m.Errorf("%v", err)
			}
		},
		Silent: func(m *meeting) {
			if got := m.hangs(func(s Stats) bool { return s.Attempts == 2 && s.Calls == 1 && s.Open == 1 }); got.began {
				m.Error("it spoke")
			}
		},
		Closes: func(m *meeting) {
			if got := m.call(); got.err == nil || got.began || isTimeout(got.err) {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		Stale: func(m *meeting) {
			before := m.Stats()
			m.whole() // made again, on another connection
			now := m.Stats()
			if now.Calls != before.Calls+2 || now.Connections != before.Connections+1 {
				m.Errorf("%+v, before: %+v", now, before)
			}
			bare := m.request(m.Context(), "", "a text")
			bare.Header.Del("X-Idempotency-Key")
			bare.GetBody = nil
			if resp, err := m.client.Do(bare); err == nil {
				resp.Body.Close()
				m.Error("it was answered without being made again")
			}
		},
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func tlsChecks() map[Fault]check {
	return map[Fault]check{
		TLSStall: func(m *meeting) {
			m.hangs(func(s Stats) bool { return s.Attempts == 2 && s.Calls == 1 && s.Open == 1 })
		},
		TLSUnknown: func(m *meeting) {
			var e x509.UnknownAuthorityError
			if got := m.call(); !errors.As(got.err, &e) {
				m.Errorf("%v", got.err)
			}
		},
		TLSExpired: func(m *meeting) {
			var e x509.CertificateInvalidError
			if got := m.call(); !errors.As(got.err, &e) || e.Reason != x509.Expired {
				m.Errorf("%v", got.err)
			}
		},
		TLSOtherName: func(m *meeting) {
			var e x509.HostnameError
			if got := m.call(); !errors.As(got.err, &e) {
				m.Errorf("%v", got.err)
			}
		},
		TLSNotSpoken: func(m *meeting) {
			var e tls.RecordHeaderError
			if got := m.call(); !errors.As(got.err, &e) && !errors.Is(got.err, http.ErrSchemeMismatch) {
				m.Errorf("%v", got.err)
			}
		},
		TLSOld: func(m *meeting) {
			if got := m.call(); got.err == nil || got.began || !strings.Contains(got.err.Error(), "protocol version") {
				m.Errorf("%v", got.err)
			}
		},
	}
}

func http2Checks() map[Fault]check {
	return map[Fault]check{
		HTTP2Dark: func(m *meeting) {
			before := m.Stats()
			got := m.until(1, 0, func(sent func()) *httptrace.ClientTrace {
				return &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }}
			})
			if s := m.Stats(); got.began || s.Calls != before.Calls || s.Open != 1 {
				m.Errorf("%+v, %+v", got, s)
			}
			m.client = m.Provider.client(m.T)
			m.whole() // new connections are well
			if s := m.Stats(); s.Calls != before.Calls+1 {
				m.Errorf("what was swallowed has arrived: %+v", s)
			}
		},
		HTTP2GoAway: func(m *meeting) {
			m.whole()
			m.await(func(s Stats) bool { return s.InFlight == 0 })
			before := m.Stats().Connections
			for range 3 {
				m.whole()
			}
			if now := m.Stats().Connections; now == before {
				m.Error("the connection was kept")
			}
		},
		HTTP2GoAwayAlways: func(m *meeting) {
			// The transport of net/http makes such a call again by itself.
			m.hangs(func(s Stats) bool { return s.Calls >= 3 && s.Connections >= 3 })
		},
		HTTP2GoAwayMidway: func(m *meeting) {
			if got := m.call(); got.err == nil || isTimeout(got.err) || !strings.Contains(got.err.Error(), "GOAWAY") {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		HTTP2Reset: func(m *meeting) {
			got := m.call()
			if got.err == nil || got.answered || !strings.Contains(got.err.Error(), "stream error") {
				m.Errorf("%v: %+v", got.err, got)
			}
			if s := m.Stats(); s.Connections != 1 {
				m.Errorf("the connection went with the stream: %+v", s)
			}
		},
	}
}

func wireChecks() map[Fault]check {
	broken := func(m *meeting) {
		got := m.call()
		if got.err == nil || isTimeout(got.err) || !got.answered || got.status != http.StatusOK || len(got.body) >= len(m.right()) {
			m.Errorf("%v: %+v", got.err, got)
		}
	}
	endless := func(m *meeting) {
		got := m.call() // as much of it as ask reads
		if got.err != nil || len(got.body) != 1<<20 || !bytes.HasPrefix(got.body, []byte(opening)) {
			m.Errorf("%d bytes, %v", len(got.body), got.err)
		}
		m.await(func(s Stats) bool { return s.InFlight == 0 }) // it ends when its reader leaves
	}
	refused := func(word string) check {
		return func(m *meeting) {
			if got := m.call(); got.err == nil || isTimeout(got.err) || got.answered || !strings.Contains(got.err.Error(), word) {
				m.Errorf("%v: %+v", got.err, got)
			}
			m.await(func(s Stats) bool { return s.InFlight == 0 })
		}
	}
	return map[Fault]check{
		Slow: func(m *meeting) {
			back := make(chan struct{})
			go func() {
				defer close(back)
				m.whole()
			}()
			if d := m.wants(); d != 300*time.Millisecond {
				m.Errorf("it takes %v", d)
			}
			m.tick()
			<-back
		},
		HeavyTail: func(m *meeting) {
			back := make(chan struct{})
			go func() {
				defer close(back)
				m.whole()
			}()
			if d := m.wants(); d != tail(20*time.Millisecond, 1) {
				m.Errorf("it takes %v", d)
			}
			m.tick()
			<-back
		},
		Never: func(m *meeting) {
			if got := m.hangs(caught); got.began {
				m.Error("it spoke")
			}
		},
		HeadDrip: func(m *meeting) {
			if got := m.until(1, 20, func(came func()) *httptrace.ClientTrace {
				return &httptrace.ClientTrace{GotFirstResponseByte: came}
			}); got.answered {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		Endless1xx: func(m *meeting) {
			if got := m.until(20, math.MaxInt, func(came func()) *httptrace.ClientTrace {
				return &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
					if code == http.StatusProcessing {
						came()
					}
					return nil
				}}
			}); got.answered {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		Flood1xx:    refused("exceeded"),
		EndlessHead: refused("exceeded"),
		BodyDrip: func(m *meeting) {
			resp, err := m.client.Do(m.request(m.Context(), openai.Base64, "a text"))
			if err != nil {
				m.Fatal(err)
			}
			defer resp.Body.Close()
			one := make([]byte, 8)
			for i := range 20 {
				if n, err := resp.Body.Read(one); n != 1 || err != nil {
					m.Fatalf("read %d: %d bytes, %v", i, n, err)
				}
				m.tick()
			}
		},
		HalfThenSilence: func(m *meeting) { m.silentAfter(len(m.right("a text")) / 2) },
		HalfThenFIN: func(m *meeting) {
			broken(m)
			if got := m.call(); m.wire != HTTP2 && !errors.Is(got.err, io.ErrUnexpectedEOF) {
				m.Errorf("%v", got.err)
			}
		},
		HalfThenRST: func(m *meeting) {
			broken(m)
			// What was on its way may be lost with the connection.
			if got := m.call(); m.wire == Plain && !errors.Is(got.err, syscall.ECONNRESET) {
				m.Errorf("%v", got.err)
			}
		},
		ChunksUnended: func(m *meeting) { m.silentAfter(len(m.right("a text"))) },
		EndlessBody:   endless,
		GzipBomb:      endless,
		LengthTooLong: func(m *meeting) { m.silentAfter(len(m.right("a text"))) },
		LengthTooShort: func(m *meeting) {
			got, want := m.call(), m.right()
			if got.err != nil || !bytes.Equal(got.body, want[:len(want)/2]) {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
	}
}

// right is the right answer as it goes over the wire.
func (m *meeting) right(texts ...string) []byte {
	if len(texts) == 0 {
		texts = []string{"first text", "second text"}
	}
	return m.body(&call{EmbeddingsRequest: openai.EmbeddingsRequest{Input: texts}, dim: dim, as: openai.Base64})
}

// silentAfter reads the n bytes that come and wants the provider to be at it
// still.
func (m *meeting) silentAfter(n int) {
	m.Helper()
	ctx, leave := context.WithCancel(m.Context())
	defer leave()
	resp, err := m.client.Do(m.request(ctx, openai.Base64, "a text"))
	if err != nil {
		m.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, n)); err != nil {
		m.Fatal(err)
	}
	if s := m.Stats(); !caught(s) {
		m.Errorf("%+v", s)
	}
	leave()
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.Canceled) {
		m.Errorf("%d, %v", n, err)
	}
	m.await(func(s Stats) bool { return s.InFlight == 0 })
}

func limitChecks() map[Fault]check {
	poisoned := func(status int) check {
		return func(m *meeting) {
			m.whole()
			if got := m.call("well", "has "+Poison+" in it", "well too"); got.status != status {
				m.Errorf("%v: %+v", got.err, got)
			}
		}
	}
	out := map[Fault]check{
		FewSlots: func(m *meeting) {
			var four sync.WaitGroup
			for range 4 {
				four.Go(func() { m.whole() })
			}
			m.await(func(s Stats) bool { return s.InFlight == 4 })
			for range 4 {
				m.wants() // they have their slots
			}
			if got := m.call(); got.status != http.StatusTooManyRequests {
				m.Errorf("%v: %+v", got.err, got)
			}
			for range 4 {
				m.tick()
			}
			four.Wait()
		},
		FewSlotsQueue: func(m *meeting) {
			var five sync.WaitGroup
			for range 5 {
				five.Go(func() { m.whole() })
			}
			m.await(func(s Stats) bool { return s.InFlight == 5 })
			for range 4 {
				m.wants()
			}
			select {
			case <-m.clock.asked:
				m.Error("there was a fifth slot")
			default:
			}
			m.tick()
			m.wants() // the fifth has the slot that came free
			for range 4 {
				m.tick()
			}
			five.Wait()
			if s := m.Stats(); s.MaxInFlight != 5 {
				m.Errorf("%+v", s)
			}
		},
		BatchOfOne: func(m *meeting) {
			m.whole("one")
			if got := m.call("one", "two"); got.status != http.StatusUnprocessableEntity {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		PoisonText:    poisoned(http.StatusBadRequest),
		PoisonText500: poisoned(http.StatusInternalServerError),
		EveryOther: func(m *meeting) {
			for range 3 {
				if got := m.call(); got.status != http.StatusInternalServerError {
					m.Errorf("%v: %+v", got.err, got)
				}
				m.whole()
			}
		},
		Busy: func(m *meeting) { m.busy(func(h string) bool { return h == "" }) },
		BusySeconds: func(m *meeting) {
			m.busy(func(h string) bool { n, err := strconv.Atoi(h); return err == nil && n == 1 })
		},
		BusyDecimals: func(m *meeting) {
			m.busy(func(h string) bool {
				n, err := strconv.ParseFloat(h, 64)
				return err == nil && n > 0 && n < 1
			})
		},
		BusyDate: func(m *meeting) { m.busy(func(h string) bool { _, err := http.ParseTime(h); return err == nil }) },
		BusyAbsurd: func(m *meeting) {
			m.busy(func(h string) bool { n, err := strconv.ParseInt(h, 10, 64); return err == nil && n > 1e10 })
		},
		BusyGarbage: func(m *meeting) { m.busy(func(h string) bool { return h == "soon" }) },
		Unpaid: func(m *meeting) {
			got := m.call()
			if e := openai.ParseError(got.status, got.body); e.Status != http.StatusTooManyRequests || e.Code != "insufficient_quota" {
				m.Errorf("%+v", e)
			}
		},
	}
	for _, f := range []Fault{Status400, Status401, Status403, Status404, Status408, Status413, Status500} {
		out[f] = func(m *meeting) {
			got := m.call()
			if e := openai.ParseError(got.status, got.body); strconv.Itoa(got.status) != string(f) || !e.Structured || e.Message == "" {
				m.Errorf("%v: %+v", got.err, got)
			}
		}
	}
	for _, f := range []Fault{Status502, Status503, Status504} {
		out[f] = func(m *meeting) {
			if got := m.call(); strconv.Itoa(got.status) != string(f) || got.header.Get("Content-Type") != "text/html" || !bytes.HasPrefix(got.body, []byte("<html>")) {
				m.Errorf("%v: %+v", got.err, got)
			}
		}
	}
	return out
}

func (m *meeting) busy(ok func(retryAfter string) bool) {
	m.Helper()
	got := m.call()
	if e := openai.ParseError(got.status, got.body); got.status != http.StatusTooManyRequests || !e.Structured {
		m.Errorf("%v: %+v", got.err, got)
	}
	if h := got.header.Get("Retry-After"); !ok(h) {
		m.Errorf("Retry-After: %q", h)
	}
}

func contentChecks() map[Fault]check {
	refused := func(ok func(m *meeting, got seen) bool) check {
		return func(m *meeting) {
			got := m.call()
			if _, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: 2, Values: dim}); err == nil || got.status != http.StatusOK || got.err != nil || !ok(m, got) {
				m.Errorf("%v: %+v", err, got)
			}
		}
	}
	// items: in both encodings, for one text and for three.
	items := func(ok func(texts []string, d []openai.Embedding) bool) check {
		return func(m *meeting) {
			for _, as := range []openai.Encoding{openai.Float, openai.Base64} {
				for _, texts := range [][]string{{"only"}, {"first", "second", "third"}} {
					got := m.ask(m.Context(), as, texts...)
					a, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: 4, Values: dim + 1})
					if err != nil || got.status != http.StatusOK || got.err != nil || !ok(texts, a.Data) {
						m.Errorf("%s %d: %v, %s", as, len(texts), err, got.body)
					}
				}
			}
		}
	}
	lastIs := func(bad func(openai.Embedding) bool) check {
		return items(func(texts []string, d []openai.Embedding) bool {
			n := len(texts)
			return len(d) == n && ofTheirTexts(texts, d[:n-1]) && d[n-1].Index == n-1 && bad(d[n-1])
		})
	}
	return map[Fault]check{
		RedirectLoop: func(m *meeting) {
			if got := m.call(); got.err == nil || !strings.Contains(got.err.Error(), "stopped after 10 redirects") {
				m.Errorf("%v: %+v", got.err, got)
			}
		},
		ErrorInside: refused(func(_ *meeting, got seen) bool {
			e := openai.ParseError(0, got.body)
			return e.Structured && e.Message != ""
		}),
		Empty:     refused(func(_ *meeting, got seen) bool { return len(got.body) == 0 }),
		HTML:      refused(func(_ *meeting, got seen) bool { return bytes.HasPrefix(got.body, []byte("<!doctype html>")) }),
		Truncated: refused(func(m *meeting, got seen) bool { return bytes.HasPrefix(m.right(), got.body) && len(got.body) > 1 }),
		Nested:    refused(func(_ *meeting, got seen) bool { return bytes.Count(got.body, []byte("[")) == 100_000 }),
		Garbage:   refused(func(_ *meeting, got seen) bool { return len(got.body) == 4<<10 }),
		WrongDimension: items(func(texts []string, d []openai.Embedding) bool {
			return len(d) == len(texts) && !slices.ContainsFunc(d, func(e openai.Embedding) bool { return len(e.Vector) != dim+1 })
		}),
		NaN: lastIs(func(e openai.Embedding) bool {
			return e.Err != nil || math.IsNaN(float64(e.Vector[0])) && len(e.Vector) == dim
		}),
		Null: lastIs(func(e openai.Embedding) bool { return e.Err != nil }),
		Zero: lastIs(func(e openai.Embedding) bool { return slices.Equal(e.Vector, make([]float32, dim)) }),
		Shuffled: items(func(texts []string, d []openai.Embedding) bool {
			return len(d) == len(texts) && ofTheirTexts(texts, d) && d[0].Index == len(texts)-1
		}),
		DuplicateIndex: items(func(texts []string, d []openai.Embedding) bool {
			return len(d) == max(2, len(texts)) && d[0].Index == 0 && d[len(d)-1].Index == 0
		}),
		MissingItem: items(func(texts []string, d []openai.Embedding) bool {
			return len(d) == len(texts)-1 && ofTheirTexts(texts, d)
		}),
		ExtraItem: items(func(texts []string, d []openai.Embedding) bool {
			return len(d) == len(texts)+1 && d[len(texts)].Index == len(texts) && ofTheirTexts(texts, d[:len(texts)])
		}),
	}
}

// ofTheirTexts: each item is the vector of the text it says it is of.
func ofTheirTexts(texts []string, d []openai.Embedding) bool {
	return !slices.ContainsFunc(d, func(e openai.Embedding) bool {
		return e.Err != nil || e.Index >= len(texts) || !Matches(texts[e.Index], e.Vector)
	})
}
