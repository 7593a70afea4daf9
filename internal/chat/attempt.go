package chat

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"runtime/debug"
	"strings"
	"time"

	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// attempt is one request and its answer. A goroutine of its own reads; news is
// how it tells the caller, who takes it or has left.
type attempt struct {
	where provider.Tracker
	began time.Time
	try   int
	sent  string // traceparent; "": none
	news  chan news
	end   context.CancelCauseFunc // ends the reading

	firstAt time.Time // of the first word; the caller's
}

// news is what an attempt has to tell.
type news struct {
	piece    string // more of the answer
	thinking bool   // the model is alive, and has said nothing
	finish   string // why the answer has ended; what may follow is not waited for long
	usage    *openai.ChatUsage
	done     bool            // all of it came
	fault    *provider.Fault // it ended otherwise
}

var errLeft = errors.New("the caller has left")

// begin starts an attempt in the place that c has. The goroutine gives it back.
func (p *Pipeline) begin(ctx context.Context, c *call, r openai.ChatRequest, try int, traceparent string) *attempt {
	a := &attempt{began: time.Now(), try: try, sent: traceparent, news: make(chan news)}
	// It ends with follow, or, when the answer was whole, a moment later by
	// itself; not with the caller's ctx, which may end in between.
	ctx, a.end = context.WithCancelCause(context.WithoutCancel(ctx))
	fresh := c.fresh
	p.mu.Lock()
	p.running++
	p.count.attempts++
	p.flying[a] = struct{}{}
	p.mu.Unlock()
	go func() {
		defer p.leave(c.user, a)
		defer a.end(nil)
		p.read(ctx, a, r, fresh)
	}()
	return a
}

// tell hands n to the caller; false: the caller has left.
func (a *attempt) tell(ctx context.Context, n news) bool {
	select {
	case a.news <- n:
		return true
	case <-ctx.Done():
		return false
	}
}

// read makes the request and tells all that comes. A panic, which would end the
// whole program here, is a fault.
func (p *Pipeline) read(ctx context.Context, a *attempt, r openai.ChatRequest, fresh bool) {
	defer func() {
		if v := recover(); v != nil {
			f := p.peer.Fault(a.where.Phase(), fmt.Errorf("panic: %v\n%s", v, debug.Stack()), "could not be asked") //nolint:err113 // for the log
			f.Code = rag.Internal
			a.tell(ctx, news{fault: f})
		}
	}()
	by := p.http
	if fresh && p.dialer != nil {
		own := provider.NewTransport(p.cfg.Network, p.dialer)
		defer own.CloseIdleConnections()
		by = provider.Unredirected(own)
	}
	again := &provider.Replays{Fresh: by.CloseIdleConnections, May: p.mayRetry}
	if a.try == 1 {
		again.Most = provider.MaxReplays
	}
	for given := p.borne.options(); ; {
		sent := given.apply(r)
		refusal, fault := p.post(ctx, a, by, sent, again)
		if refusal != nil {
			if simpler, ok := given.simpler(sent, refusal); ok {
				p.borne.giveUp(simpler)
				given = simpler
				continue
			}
		}
		if fault != nil {
			a.tell(ctx, news{fault: fault})
		}
		return
	}
}

// post makes one request and tells what comes of it. refusal is the answer when
// it is an error.
func (p *Pipeline) post(ctx context.Context, a *attempt, by *http.Client, r openai.ChatRequest, again *provider.Replays) (
	refusal *openai.Error, fault *provider.Fault,
) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	a.where.Set(provider.Queue)
	traced := httptrace.WithClientTrace(ctx, a.where.Trace())
	req, err := p.request(traced, r, a.sent)
	if err != nil {
		f := p.peer.Fault(provider.Queue, err, "cannot be asked")
		f.Code = rag.Internal
		return nil, f
	}
	resp, err := by.Do(again.Bound(traced, req, end))
	if err != nil {
		return nil, p.peer.Broken(noCaller(ctx), ctx, a.where.Phase(), err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be said
	// Nothing that reads a body is to outlive the attempt, whatever the body is.
	defer context.AfterFunc(ctx, func() { _ = resp.Body.Close() })()
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the bare connection
		f := p.peer.Fault(provider.Headers, nil, "answered with another protocol (101)")
		f.Status, f.Retry = resp.StatusCode, true
		return nil, f
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body := provider.ReadError(resp.Body, func() { end(nil) })
		refusal = openai.ParseError(resp.StatusCode, body)
		return refusal, p.peer.Refused(refusal, resp.Header, contents(r), provider.Headers)
	}
	a.where.Set(provider.FirstToken)
	return nil, p.answer(ctx, a, r, resp)
}

// noCaller: the caller's own end is not told by the attempt, which ends after it.
func noCaller(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func contents(r openai.ChatRequest) []string {
	out := make([]string, len(r.Messages))
	for i, m := range r.Messages {
		out[i] = m.Content
	}
	return out
}

func (p *Pipeline) request(ctx context.Context, r openai.ChatRequest, traceparent string) (*http.Request, error) {
	body, err := r.Encode()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // err repeats the address
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream, application/json")
	req.Header.Set("Accept-Encoding", "identity") // what is compressed comes late
	req.Header.Set("User-Agent", p.cfg.UserAgent)
	if p.cfg.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+p.cfg.APIKey)
	}
	if traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	// Sent nowhere, it tells the transport that this POST may be made again
	// when a kept connection turns out to be closed. An answer that was begun for
	// nobody does no harm.
	req.Header["X-Idempotency-Key"] = []string{}
	return req, nil
}

// answer reads an answer that was begun well, streamed or not.
func (p *Pipeline) answer(ctx context.Context, a *attempt, r openai.ChatRequest, resp *http.Response) *provider.Fault {
	w := &writer{p: p, a: a, sent: r, head: resp.Header, pieces: pieces{most: p.cfg.MaxAnswerBytes}}
	body := bufio.NewReader(&bounded{r: resp.Body, left: p.wireBytes()})
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")):
		if c, err := body.Peek(1); err == nil && (c[0] == 'd' || c[0] == ':') { // events by another name
			return w.events(ctx, body)
		}
		return w.whole(ctx, body)
	case err == nil && (kind == "text/event-stream" || kind == "text/plain" || kind == "application/octet-stream"),
		resp.Header.Get("Content-Type") == "":
		return w.events(ctx, body)
	default:
		shown := provider.Clean(resp.Header.Get("Content-Type"), p.cfg.APIKey, nil)
		return p.peer.Fault(provider.Headers, nil, "sent an answer that is none (%.80s)", shown)
	}
}

// wireBytes bounds what is read for an answer: around each word of a few bytes
// there are hundreds that say whose it is.
func (p *Pipeline) wireBytes() int64 { return 256*int64(p.cfg.MaxAnswerBytes) + 1<<20 }

// bounded is a reader that ends in errLongAnswer.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(to []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongAnswer
	}
	n, err := b.r.Read(to[:min(int64(len(to)), b.left)])
	b.left -= int64(n)
	return n, err
}
