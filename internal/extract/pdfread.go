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
	lost  []int // numbers of the pages that cannot be read, from 1, in any order
	err   error
}

// readPages reads n pages with in, and with as many further instances as are
// free and worth it. It returns the numbers of those that cannot be read, too.
func (x *Extractor) readPages(ctx context.Context, in *instance, doc uint64, data []byte, n int, progress func(rag.Progress)) (pages [][]segment, lost []int, err error) {
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
	slices.Sort(r.lost)
	return r.pages, r.lost, r.err
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
		segs, err := in.readPage(ctx, doc, i, r.cfg.MaxPageChars)
		if err != nil && !errors.Is(err, errUnreadable) {
			return err
		}
		if err := r.put(i, segs, err != nil); err != nil {
			return err
		}
	}
}

func (r *reading) put(i int, segs []segment, lost bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost {
		r.lost = append(r.lost, i+1)
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
