package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"weir/internal/rag"
)

// bodyKind says what a route reads.
type bodyKind int

const (
	noBody bodyKind = iota
	unread          // refused whatever it brings
	jsonBody
	uploadBody
)

const (
	maxJSON    = 1 << 20  // of a question
	maxNothing = 4 << 10  // of a body that nobody asked for
	formExtra  = 64 << 10 // of a form around its file
)

func (d *door) bodyTimeout(kind bodyKind) time.Duration {
	if kind == uploadBody {
		return d.cfg.UploadTimeout
	}
	return d.cfg.BodyTimeout
}

// watchedBody keeps the error that reading ended with, which the parsers above
// it hide or rename.
type watchedBody struct {
	io.ReadCloser
	pace  *pace // nil: none is kept
	err   error // what Read last failed with, io.EOF apart
	ended bool  // read to its end

	came int64        // bytes so far
	room int64        // bytes that memory is held for
	more func() error // holds more, or says that there is none; nil: not needed
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	// Once all of it has come net/http watches the connection, and a deadline
	// would look to it like a caller who leaves.
	if b.pace != nil && n > 0 && err == nil {
		b.pace.came(n)
	}
	b.came += int64(n)
	for b.more != nil && b.came > b.room {
		was := b.room
		if refused := b.more(); refused != nil {
			b.err = refused
			return n, refused
		}
		if b.room == was {
			break
		}
	}
	switch {
	case errors.Is(err, io.EOF): // not ErrUnexpectedEOF, which is another error
		b.ended = true
	case err != nil:
		b.err = err
	}
	return n, err
}

// bound gives the body until now+timeout to arrive.
func (x *exchange) bound(timeout time.Duration) {
	if x.r.ContentLength == 0 {
		x.body.ended = true
		return // net/http is already waiting for the client to leave; a deadline would look like that
	}
	_ = x.control.SetReadDeadline(time.Now().Add(timeout)) // fails where there is no connection
}

// keepUp gives an upload its time, beginning now, and cuts it off when it comes
// too slowly: it holds a place that others wait for.
func (x *exchange) keepUp(c Config) {
	if x.r.ContentLength != 0 { // as in bound
		x.body.pace = newPace(c.UploadRate, c.UploadGrace, c.UploadTimeout, x.control.SetReadDeadline)
	}
}

// limit refuses a body that says it is longer than most, and cuts off one that
// turns out to be.
func (x *exchange) limit(most int64) error {
	if x.r.ContentLength > most {
		return tooLarge(most)
	}
	if e := x.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &rag.Error{Code: rag.UnsupportedMedia, Field: "Content-Encoding", Msg: "a body with Content-Encoding " + shorten(e) + " is not read; send it as it is"}
	}
	x.body.ReadCloser = http.MaxBytesReader(x.w, x.body.ReadCloser, most)
	return nil
}

func tooLarge(most int64) error {
	return &rag.Error{Code: rag.TooLarge, Msg: fmt.Sprintf("the body is longer than %s, the limit of this call", size(most))}
}

// size is a number of bytes, in whole MiB or KiB too where it is that.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB (%d bytes)", n>>20, n)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB (%d bytes)", n>>10, n)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// finish reads what is left of the body. Only from then on does net/http watch
// the connection, and tells by r.Context() when the client leaves. (It lifts
// the read deadline when it begins to watch.)
func (x *exchange) finish() error {
	if x.body.ended {
		return nil
	}
	if _, err := io.Copy(io.Discard, x.body); err != nil {
		return x.readError(err)
	}
	return nil
}

// readNothing is for routes that read no body; a short one does no harm.
func (x *exchange) readNothing() error {
	if err := x.limit(maxNothing); err != nil {
		return err
	}
	return x.finish()
}

// lingering is how long a body is still taken after the answer to it.
const lingering = 5 * time.Second

// linger takes what a caller goes on sending after it was refused. Many clients
// do not look for an answer before all is sent; to close on them would have
// them report a broken connection in place of the answer. It is done when the
// exchange holds no place any more.
func (x *exchange) linger() {
	var over *http.MaxBytesError
	broken := x.body.err != nil && !errors.As(x.body.err, &over)
	if x.body.ended || broken || x.r.ProtoMajor > 1 || x.r.Header.Get("Expect") != "" { // who expects to be told, was; and so is a stream of HTTP/2
		return
	}
	if x.control.Flush() != nil || x.control.SetReadDeadline(time.Now().Add(lingering)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, x.r.Body) // below the limit; until the deadline
}

// readAll reads the body, at most most bytes.
func (x *exchange) readAll(most int64) ([]byte, error) {
	if err := x.limit(most); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(x.body) //nolint:forbidigo // bounded by limit
	if err != nil {
		return nil, x.readError(err)
	}
	return b, x.finish()
}

// readError says why the body could not be read. err is what the reader above
// it says; if the body itself is sound, the fault is in its form.
func (x *exchange) readError(err error) error {
	var over *http.MaxBytesError
	var network net.Error
	cause := x.body.err
	var refused *rag.Error
	switch {
	case errors.As(cause, &refused):
		return refused
	case cause == nil:
		return &rag.Error{Code: rag.Invalid, Msg: "the body cannot be read as " + mediaType(x.r.Header), Err: err}
	case errors.As(cause, &over):
		return tooLarge(over.Limit)
	case errors.Is(cause, os.ErrDeadlineExceeded) && x.body.pace != nil && x.body.pace.slow():
		return &rag.Error{
			Code: rag.Timeout, Phase: "body", Err: cause,
			Msg: fmt.Sprintf("the upload came too slowly: it fell %v behind %s per second, the least there may be, and was cut off so that others have the place", x.body.pace.grace, size(x.body.pace.rate)),
		}
	case errors.Is(cause, os.ErrDeadlineExceeded):
		return &rag.Error{Code: rag.Timeout, Phase: "body", Msg: "the request's body did not arrive in time", Err: cause}
	case errors.Is(cause, io.ErrUnexpectedEOF) || errors.As(cause, &network) || x.r.Context().Err() != nil:
		return &rag.Error{Code: rag.Canceled, Phase: "body", Msg: "the caller left before the request's body was complete", Err: cause}
	default:
		return &rag.Error{Code: rag.Invalid, Phase: "body", Msg: "the request's body is not well-formed HTTP", Err: cause}
	}
}

// mediaType is the Content-Type without parameters; "" if there is none that
// can be read.
func mediaType(h http.Header) string {
	m, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return m
}

// unsupported is the error of a Content-Type that the route does not read.
func unsupported(h http.Header, read string) error {
	e := &rag.Error{Code: rag.UnsupportedMedia, Field: "Content-Type", Msg: "Content-Type must be " + read}
	if given := h.Get("Content-Type"); given != "" {
		e.Msg += ", not " + shorten(given)
	}
	return e
}
