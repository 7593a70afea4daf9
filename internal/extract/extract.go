package extract

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"weir/internal/rag"
)

// Extractor reads files and cuts them into chunks. It is safe for concurrent
// use.
type Extractor struct {
	cfg    Config
	engine *engine
	tok    counter

	mu     sync.Mutex
	closed bool
	cancel map[*int]context.CancelCauseFunc // of the calls under way
	calls  sync.WaitGroup
}

var _ rag.Extractor = (*Extractor)(nil)

// New is cheap: PDFium starts when the first PDF comes.
func New(cfg Config) (*Extractor, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tok, err := newCounter()
	if err != nil {
		return nil, fmt.Errorf("extract: %w", err)
	}
	return &Extractor{cfg: cfg, engine: newEngine(cfg), tok: tok, cancel: map[*int]context.CancelCauseFunc{}}, nil
}

// CountTokens is the number of tokens of s as text-embedding-3-small counts
// them (cl100k_base).
func (x *Extractor) CountTokens(s string) int { return x.tok.count(s) }

// DecodeTokens is the text of token ids of the same vocabulary. A character of
// which the first or the last ids hold only a part, as where a longer list was
// cut in two, is left out. Its errors name the id that is none, and the position
// of what is no text.
func (x *Extractor) DecodeTokens(ids []int) (string, error) { return x.tok.decode(ids) }

// Close ends the calls under way, waits for them and releases PDFium.
func (x *Extractor) Close() error {
	x.mu.Lock()
	already := x.closed
	x.closed = true
	for _, cancel := range x.cancel {
		cancel(errClosed)
	}
	x.mu.Unlock()
	x.calls.Wait()
	if already {
		return nil
	}
	return x.engine.close()
}

// begin registers a call, so that Close can end it.
func (x *Extractor) begin(ctx context.Context) (context.Context, func(), error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, nil, errClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeoutCause(ctx, x.cfg.Timeout, errOvertime)
	key := new(int)
	x.cancel[key] = cancel
	x.calls.Add(1)
	return ctx, func() {
		stop()
		cancel(nil)
		x.mu.Lock()
		delete(x.cancel, key)
		x.mu.Unlock()
		x.calls.Done()
	}, nil
}

var errOvertime = errors.New("the document took too long")

// Extract implements [rag.Extractor].
func (x *Extractor) Extract(ctx context.Context, filename string, content []byte, progress func(rag.Progress)) (rag.Extracted, error) {
	if progress == nil {
		progress = func(rag.Progress) {}
	}
	outer := ctx
	ctx, end, err := x.begin(ctx)
	if err != nil {
		return rag.Extracted{}, x.named(outer, filename, err)
	}
	defer end()
	out, err := x.extract(ctx, filename, content, progress)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return rag.Extracted{}, x.named(outer, filename, err)
	}
	return out, nil
}

func (x *Extractor) extract(ctx context.Context, filename string, content []byte, progress func(rag.Progress)) (out rag.Extracted, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &rag.Error{
				Code: rag.Invalid, Msg: "is damaged, or built in a way that its reader does not stand",
				Err: fmt.Errorf("panic: %v\n%s", r, debug.Stack()), //nolint:err113 // for the log
			}
		}
	}()
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	if int64(len(content)) > x.cfg.MaxBytes {
		return out, tooLarge("is %s long; the limit is %s", bytesText(int64(len(content))), bytesText(x.cfg.MaxBytes))
	}
	d, err := x.read(ctx, filename, content, progress)
	if err != nil {
		return out, err
	}
	if textSize(d.blocks) == 0 {
		return out, invalid("holds no text")
	}
	c := chunker{tok: x.tok, max: x.cfg.ChunkTokens, overlap: x.cfg.Overlap, tiny: x.cfg.TinySection}
	chunks, err := c.chunks(ctx, d.blocks)
	if err != nil {
		return out, err
	}
	if len(chunks) == 0 {
		return out, invalid("holds no text")
	}
	return rag.Extracted{MediaType: d.mediaType, Title: cutRunes(squeeze(clean(d.title)), maxTitle), Pages: d.pages, Warning: d.warning, Chunks: chunks}, nil
}

func (x *Extractor) read(ctx context.Context, filename string, content []byte, progress func(rag.Progress)) (document, error) {
	f, err := detect(filename, content)
	if err != nil {
		return document{}, err
	}
	if f != formatPDF {
		progress(rag.Progress{Total: 1})
		defer progress(rag.Progress{Done: 1, Total: 1})
	}
	switch f {
	case formatPDF:
		return x.readPDF(ctx, content, progress)
	case formatDOCX:
		return x.readDOCX(ctx, content)
	case formatHTML:
		return x.readHTML(ctx, content)
	case formatMarkdown:
		return x.readMarkdown(ctx, content)
	case formatText:
		return x.readText(ctx, content)
	default:
		return document{}, unsupported("is of no format that is read")
	}
}

// named puts the file's name in front of an error. ctx is the caller's.
func (x *Extractor) named(ctx context.Context, filename string, err error) error {
	name := baseName(filename)
	var e *rag.Error
	switch {
	case errors.As(err, &e):
		c := *e
		c.Msg = name + ": " + e.Msg
		c.Phase = "extract"
		return &c
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return &rag.Error{Code: rag.Canceled, Phase: "extract", Msg: name + ": reading it was canceled", Err: context.Cause(ctx)}
	case ctx.Err() != nil:
		return &rag.Error{Code: rag.Timeout, Phase: "extract", Msg: name + ": reading it did not end in time", Err: context.Cause(ctx)}
	case errors.Is(err, errClosed):
		return &rag.Error{Code: rag.Unavailable, Phase: "extract", Msg: name + ": not read, the server is shutting down", Err: err}
	case errors.Is(err, errOvertime):
		return &rag.Error{Code: rag.Timeout, Phase: "extract", Msg: fmt.Sprintf("%s: takes longer to read than the limit of %s", name, x.cfg.Timeout.Round(time.Millisecond)), Err: err}
	default:
		return &rag.Error{Code: rag.Internal, Phase: "extract", Msg: name + ": could not be read", Err: err}
	}
}

// baseName is the name of a file without folders, of either kind of slash.
func baseName(s string) string {
	s = strings.TrimSpace(squeeze(clean(path.Base(strings.ReplaceAll(s, `\`, "/")))))
	if s == "" || s == "." || s == "/" {
		return "the file"
	}
	return cutRunes(s, maxTitle)
}
