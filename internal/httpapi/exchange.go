package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"weir/internal/rag"
)

// exchange is one request and the answer to it.
type exchange struct {
	w         http.ResponseWriter
	r         *http.Request
	control   *http.ResponseController
	operation string // its id, in the answer and in the log
	began     time.Time
	timeout   time.Duration // what the caller asked for in a header; 0: nothing
	longest   time.Duration // that the call may take; 0: Config.Timeout
	hopeless  bool          // another attempt at it would fail as well
	caller    rag.Caller
	user      rag.User     // the caller's
	document  string       // id of the one that the call is about; "": none, or not known yet
	tool      string       // of agents: what was asked for
	account   *rag.Account // of agents: what came of it; nil: nothing is told
	query     url.Values
	body      *watchedBody
	holds     int64 // bytes of the door's budget
	always    bool  // it is answered also when there is no room for answers
	status    int   // of the answer; 0: not begun
	told      bool  // an error after that was told in the answer, which is whole
}

// reply is the answer of a handler. A handler that wrote the answer itself
// returns the zero reply.
type reply struct {
	status   int
	body     any    // written as JSON; nil: no body
	raw      []byte // JSON that is written already, instead of body
	location string // empty: none
}

// serve runs one exchange. Whatever happens, something is answered and one
// line is logged.
func (d *door) serve(w http.ResponseWriter, r *http.Request, rt route) {
	ctx, operation := rag.WithOperation(r.Context())
	ctx, trace, traced := d.trace(ctx, r, rt, operation)
	x := &exchange{w: w, r: r, control: http.NewResponseController(w), operation: operation, began: time.Now(), always: rt.lane == noPlace}
	x.body = &watchedBody{ReadCloser: r.Body}
	defer d.letGo(x) // when the answer is written: a slow reader has it in memory
	setHeaders(w.Header(), r.TLS != nil)
	d.crossOrigin(w.Header(), r)
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length too, which net/http takes away unseen;
		// what follows on the connection might be meant as its body (RFC 9112, 6.1).
		w.Header().Set("Connection", "close")
	}
	if rt.openai {
		w.Header().Set("X-Request-Id", operation) // the header that OpenAI's clients show
	}

	re, err := d.attempt(ctx, x, rt)
	var p Problem
	begun := x.status != 0
	if err == nil && !begun {
		err = d.write(x, re)
	}
	if err != nil {
		d.letGo(x)
		err = stopped(ctx, err)
		var headers http.Header
		p, headers = problemOf(ctx, err, x.operation)
		challenge(r.Header, p, headers)
		if !begun {
			d.writeProblem(x, rt, p, headers)
		}
	}
	took := time.Since(x.began)
	d.log(ctx, x, rt, p, took, trace, err)
	d.audit(x, rt, p)
	if d.cfg.Observer != nil {
		d.cfg.Observer.RequestEnded(logMethod(r.Method), rt.path, x.status, took)
	}
	traced(x.status, p.Code)
	switch {
	case err == nil:
	case !begun:
		x.linger()
	case !x.told:
		panic(http.ErrAbortHandler) // the half-written answer must not look whole
	}
}

// stopped is err, unless it says that the caller left when it was the server
// that broke the call off: it stops, or the caller's key is no longer good.
func stopped(ctx context.Context, err error) error {
	if rag.CodeOf(err) != rag.Canceled {
		return err
	}
	cause := context.Cause(ctx)
	if rag.CodeOf(cause) == rag.Unauthorized {
		return cause
	}
	if !errors.Is(cause, errStopped) {
		return err
	}
	e := &rag.Error{Code: rag.Unavailable, Msg: "the server is stopping", RetryAfter: time.Second, Err: errStopped}
	var was *rag.Error
	if errors.As(err, &was) {
		e.Phase = was.Phase
	}
	return e
}

// hsts has browsers come encrypted from now on, for a year.
const hsts = "max-age=31536000"

func setHeaders(h http.Header, encrypted bool) {
	if encrypted {
		h.Set("Strict-Transport-Security", hsts)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
}

// attempt does all of an exchange but the writing. A panic becomes an error.
func (d *door) attempt(ctx context.Context, x *exchange, rt route) (re reply, err error) {
	defer func() {
		if v := recover(); v != nil {
			re, err = reply{}, &panicError{value: v, stack: debug.Stack()}
		}
	}()
	// Also a request that is refused below has a body on its way, which
	// net/http reads a part of.
	x.bound(d.bodyTimeout(rt.body))
	if !rt.public {
		if err := d.guard(x.r); err != nil {
			return reply{}, err
		}
	}
	if rt.lane == takesPlace {
		leave, err := d.requests.enter(ctx, 0)
		if err != nil {
			return reply{}, err
		}
		defer leave()
	}
	if ctx, err = d.admit(ctx, x, rt); err != nil {
		return reply{}, err
	}
	if !rt.foreign {
		if x.query, err = parseQuery(x.r.URL.RawQuery, rt); err != nil {
			return reply{}, err
		}
	}
	if rt.timed {
		if x.timeout, err = timeoutOf(x.r.Header); err != nil {
			return reply{}, err
		}
	}
	if rt.body == jsonBody {
		if err := d.holdBody(x, rt); err != nil {
			return reply{}, err
		}
	}
	if rt.body == noBody {
		if err := x.readNothing(); err != nil {
			return reply{}, err
		}
		var cancel context.CancelFunc
		ctx, cancel = x.within(ctx) // who reads a body does so once it has come
		defer cancel()
	}
	return rt.handle(ctx, x)
}

// write sends a reply. It returns an error only if nothing was sent yet.
func (d *door) write(x *exchange, re reply) error {
	h := x.w.Header()
	if re.location != "" {
		h.Set("Location", re.location)
	}
	switch {
	case re.raw != nil:
		if err := d.holdAnswer(x, len(re.raw)); err != nil {
			return err
		}
		x.send(d.cfg.WriteTimeout, re.status, contentJSON, re.raw)
		return nil
	case re.body == nil:
		x.send(d.cfg.WriteTimeout, re.status, "", nil)
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(re.body); err != nil {
		return fmt.Errorf("writing the answer as JSON: %w", err)
	}
	if err := d.holdAnswer(x, b.Len()); err != nil {
		return err
	}
	x.send(d.cfg.WriteTimeout, re.status, contentJSON, b.Bytes())
	return nil
}

func (d *door) writeProblem(x *exchange, rt route, p Problem, headers http.Header) {
	h := x.w.Header()
	for name, values := range headers {
		h[name] = values
	}
	if !x.body.ended && x.r.ProtoMajor < 2 { // of HTTP/2 only the stream ends
		// The rest of the body is of no use to anybody; waiting for it would
		// only hold up the answer.
		h.Set("Connection", "close")
	}
	contentType, body := problemType, p.json()
	if rt.openai {
		contentType, body = contentJSON, d.inOpenAIShape(x, p, h)
	}
	x.send(d.cfg.WriteTimeout, p.Status, contentType, append(body, '\n'))
}

// send writes an answer under a deadline of its own. That it was not taken is
// seen in the log's status and nowhere else: there is nobody to tell.
func (x *exchange) send(timeout time.Duration, status int, contentType string, body []byte) {
	h := x.w.Header()
	h.Set(operationHeader, x.operation)
	if contentType != "" {
		h.Set("Content-Type", contentType)
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.status = status
	_ = x.control.SetWriteDeadline(time.Now().Add(timeout)) // fails where there is no connection
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}

// panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
