package extract

import (
	"context"
	"errors"
	"slices"
	"sync"

	"weir/internal/rag"
)

// pagesPerHelper is how many pages make another instance worth its start.
const pagesPerHelper = 24

// reading is the pages of one document while several instances read them.
type reading struct {
	cfg      Config
	data     []byte
	progress func(rag.Progress)

	mu    sync.Mutex
	next  int
	done  int
	size  int // bytes of text so far
	pages [][]segment
	gaps  gaps
	err   error
}

// readPages reads n pages with in, and with as many further instances as are
// free and worth it. It also tells which of them have no text to find.
func (x *Extractor) readPages(ctx context.Context, in *instance, doc uint64, data []byte, n int, progress func(rag.Progress)) (pages [][]segment, without gaps, err error) {
	r := &reading{cfg: x.cfg, data: data, progress: progress, pages: make([][]segment, n)}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var helpers sync.WaitGroup
	for k := 1; k*pagesPerHelper < n && x.engine.spare(); k++ {
		helpers.Go(func() {
			defer x.engine.free()
			r.fail(x.engine.instance(ctx, func(in *instance) error {
				doc, err := openPDF(ctx, in, data)
				if err != nil {
					return err
				}
				return r.run(ctx, in, doc)
			}), stop)
		})
	}
	r.fail(r.run(ctx, in, doc), stop)
	helpers.Wait()
	slices.Sort(r.gaps.lost)
	slices.Sort(r.gaps.pictures)
	return r.pages, r.gaps, r.err
}

// errStopped is why the other instances of a document stop when one fails.
var errStopped = errors.New("another page failed")

// fail keeps the first error and stops the others.
func (r *reading) fail(err error, stop context.CancelCauseFunc) {
	if err == nil {
		return
	}
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	stop(errStopped)
}

// run reads pages until there are none left.
func (r *reading) run(ctx context.Context, in *instance, doc uint64) error {
	for {
		r.mu.Lock()
		i := r.next
		r.next++
		r.mu.Unlock()
		if i >= len(r.pages) {
			return nil
		}
		segs, picture, err := in.readPage(ctx, doc, i, r.cfg.MaxPageChars)
		if err != nil && !errors.Is(err, errUnreadable) {
			return err
		}
		if err := r.put(i, segs, picture, err != nil); err != nil {
			return err
		}
	}
}

func (r *reading) put(i int, segs []segment, picture, lost bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case lost:
		r.gaps.lost = append(r.gaps.lost, i+1)
	case picture:
		r.gaps.pictures = append(r.gaps.pictures, i+1)
	}
	r.pages[i] = segs
	for k := range segs {
		r.size += len(segs[k].text)
	}
	if r.size > r.cfg.MaxText {
		return tooLarge("holds more than %s of text", bytesText(int64(r.cfg.MaxText)))
	}
	r.done++
	r.progress(rag.Progress{Done: r.done, Total: len(r.pages)})
	return nil
}
