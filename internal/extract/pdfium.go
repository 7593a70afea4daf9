package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sync"

	pdfium "github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// engine is compiled PDFium. It starts on first use, in a goroutine of its
// own: compiling takes seconds and does not look at a context, and whoever
// waits for it must be able to leave.
type engine struct {
	cfg   Config
	slots chan struct{} // one token per instance that may exist

	mu     sync.Mutex
	launch *launch // nil: not started, or the last start failed
	closed bool
}

type launch struct {
	done    chan struct{} // closed when pool and err are set
	pool    pdfium.Pool
	release func() error // of the cache
	err     error
}

func newEngine(cfg Config) *engine {
	return &engine{cfg: cfg, slots: make(chan struct{}, cfg.Workers)}
}

var errClosed = errors.New("the extractor is closed")

// pool waits until PDFium is compiled or ctx ends.
func (e *engine) pool(ctx context.Context) (pdfium.Pool, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errClosed
	}
	l := e.launch
	if l == nil {
		l = &launch{done: make(chan struct{})}
		e.launch = l
		// The start outlives the caller it happens for: others wait for it too.
		go e.start(context.WithoutCancel(ctx), l)
	}
	e.mu.Unlock()
	select {
	case <-l.done:
		return l.pool, l.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (e *engine) start(ctx context.Context, l *launch) {
	defer close(l.done)
	cache := openCache(e.cfg.CacheDir)
	if l.pool, l.err = e.compile(ctx, cache); l.err != nil && cache != nil {
		// A damaged cache must not stand in the way. Its files are not ours to
		// tell apart: do without.
		_ = cache.Close(ctx)
		cache = nil
		l.pool, l.err = e.compile(ctx, nil)
	}
	if cache != nil {
		l.release = func() error { return cache.Close(ctx) }
	}
	if l.err != nil {
		l.err = fmt.Errorf("start PDFium: %w", l.err)
		e.mu.Lock()
		e.launch = nil // the next caller tries again
		e.mu.Unlock()
	}
}

// openCache returns nil when dir cannot be used: a cache saves time, nothing
// depends on it.
func openCache(dir string) wazero.CompilationCache {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil
	}
	probe, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return nil
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, "pdfium"))
	if err != nil {
		return nil
	}
	return cache
}

func (e *engine) compile(ctx context.Context, cache wazero.CompilationCache) (p pdfium.Pool, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	rc := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(uint32(e.cfg.PDFMemory >> 16)). //nolint:gosec // validated: at most 65536
		// Makes code in a loop look whether it should stop. Without it a looping
		// PDFium could be neither stopped nor paused, and a garbage collection
		// that waits for it would stop the whole process.
		WithCloseOnContextDone(true)
	if cache != nil {
		rc = rc.WithCompilationCache(cache)
	}
	return webassembly.Init(webassembly.Config{
		Context:       experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(newSandbox)),
		MaxTotal:      e.cfg.Workers + 1, // slots is what bounds; the pool must never be what blocks
		RuntimeConfig: rc,
		FSConfig:      wazero.NewFSConfig(), // no files
		Stdout:        io.Discard,
		Stderr:        io.Discard,
	})
}

// open gives a fresh instance of PDFium to do, which may use it until it
// returns. The instance is thrown away afterwards, whatever happened to it.
func (e *engine) open(ctx context.Context, do func(*instance) error) error {
	select {
	case e.slots <- struct{}{}:
		defer e.free()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return e.instance(ctx, do)
}

// spare takes a slot if one is free now.
func (e *engine) spare() bool {
	select {
	case e.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (e *engine) free() { <-e.slots }

// instance is open for a caller that holds a slot.
func (e *engine) instance(ctx context.Context, do func(*instance) error) error {
	pool, err := e.pool(ctx)
	if err != nil {
		return err
	}
	p, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("start an instance of PDFium: %w", err)
	}
	defer func() { _ = p.Close() }() // fails when ctx has ended the instance already: then it is closed
	in, err := bind(ctx, p, e.cfg.PDFMemory)
	if err != nil {
		return err
	}
	return do(in)
}

// close waits for a start under way. The caller has seen to it that no
// instance is in use.
func (e *engine) close() error {
	e.mu.Lock()
	e.closed = true
	l := e.launch
	e.mu.Unlock()
	if l == nil {
		return nil
	}
	<-l.done
	if l.err != nil {
		return nil
	}
	err := l.pool.Close()
	if l.release != nil {
		err = errors.Join(err, l.release())
	}
	return err
}

// module finds the WebAssembly module behind an instance. The library's own
// calls allocate and free inside the sandbox several times per character,
// which costs a second and a half for a book; going to the exports directly
// is what makes reading every character affordable. The field is exported,
// its type is not, hence reflect.
func module(p pdfium.Pdfium) (api.Module, error) {
	v := reflect.Indirect(reflect.ValueOf(p.GetImplementation()))
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("Module"); f.IsValid() && f.CanInterface() {
			if m, ok := f.Interface().(api.Module); ok {
				return m, nil
			}
		}
	}
	return nil, errors.New("this version of go-pdfium does not show its WebAssembly module")
}
