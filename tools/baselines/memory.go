package main

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"weir/internal/drill"
)

// maxHeap is where a client is stopped that takes in all it is sent: without
// that the machine would have ended the measurement, and more.
const maxHeap = 2 << 30

// guarded stops a target's calls when the process's heap is over maxHeap.
type guarded struct {
	drill.Target
	full atomic.Bool
	over chan struct{} // closed with full
	done chan struct{} // closed at the end
}

// guard is open, guarded.
func guard(open drill.Open) drill.Open {
	return func(ctx context.Context, at drill.Place) (drill.Target, error) {
		runtime.GC() // what the fault before left is not this one's
		t, err := open(ctx, at)
		if err != nil {
			return nil, err
		}
		g := &guarded{Target: t, over: make(chan struct{}), done: make(chan struct{})}
		go g.watch()
		return g, nil
	}
}

func (g *guarded) watch() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		select {
		case <-g.done:
			return
		case <-tick.C:
		}
		if metrics.Read(heap); heap[0].Value.Uint64() > maxHeap {
			g.full.Store(true)
			close(g.over)
			return
		}
	}
}

// Ask is the target's, until there is too much of it.
func (g *guarded) Ask(ctx context.Context, q drill.Question) drill.Outcome {
	const memory = "over 2 GiB of memory"
	if g.full.Load() {
		return drill.Outcome{Kind: drill.Failed, Code: memory}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-g.over:
			cancel()
		case <-ended:
		}
	}()
	o := g.Target.Ask(ctx, q)
	if o.Kind == drill.Failed && g.full.Load() {
		o.Code = memory
	}
	return o
}

func (g *guarded) Requests() int64 {
	if a, ok := g.Target.(drill.Asker); ok {
		return a.Requests()
	}
	return 0
}

func (g *guarded) Close(ctx context.Context) error {
	close(g.done)
	return g.Target.Close(ctx)
}
