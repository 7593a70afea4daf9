package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"weir/internal/load"
)

// seeds gives each run questions of its own, so that no cache answers.
type seeds struct{ next uint64 }

func (s *seeds) take() uint64 {
	if s.next == 0 {
		s.next = rand.Uint64()
	}
	s.next += 1 << 32
	return s.next
}

// retrieving puts a load on Weir's retrieval.
func retrieving(ctx context.Context, c *child, mode string, seed uint64, cfg load.Config) (*load.Report, error) {
	target, err := c.retrieve(mode, seed)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	r, err := load.Run(ctx, cfg, target)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r, c.alive()
}

// whole is how many calls were answered whole in each second of a part of a
// run, from second `from` to before `to`.
func whole(r *load.Report, from, to int) float64 {
	n, seconds := 0, 0
	for _, s := range r.Seconds {
		if s.At >= from && s.At < to {
			n += s.OK - s.Degraded
			seconds++
		}
	}
	if seconds == 0 {
		return 0
	}
	return float64(n) / float64(seconds)
}

// peak finds the most calls a second that are answered whole, with more and
// more callers who call again and again.
func (s *site) peak(ctx context.Context, c *child, mode string, sd *seeds, callers []int, each time.Duration) (float64, error) {
	// Connections, and what Weir learns of a provider that is new to it, count for
	// nothing.
	if _, err := retrieving(ctx, c, mode, sd.take(), load.Config{Callers: callers[0], Duration: each}); err != nil {
		return 0, err
	}
	best := 0.0
	for _, n := range callers {
		r, err := retrieving(ctx, c, mode, sd.take(), load.Config{Callers: n, Duration: each})
		if err != nil {
			return 0, err
		}
		got := float64(r.OK-r.Degraded) / r.Took.Seconds()
		fmt.Fprintf(s.talk, "%s: %d callers: %.0f a second answered whole, p50 %s, p99 %s, %d degraded, %d refused, %d failed\n", mode, n, got,
			brief(r.Answers.At(0.5)), brief(r.Answers.At(0.99)), r.Degraded, r.Refused, r.Failed)
		best = max(best, got)
	}
	if best == 0 {
		return 0, fmt.Errorf("%s: nothing was answered", mode)
	}
	return best, nil
}

// recovered is the first second of a run from which on what was due was
// answered whole, to the end; -1 if there is none. Single seconds vary, for an
// answer may count in the next, and three at least must be left to tell.
func recovered(r *load.Report, from, to int) int {
	const (
		least    = 0.9  // of each second's calls
		together = 0.97 // of all that follow
		left     = 3
	)
	first, good, due := -1, 0, 0
	for i := len(r.Seconds) - 1; i >= 0; i-- {
		s := r.Seconds[i]
		if s.At < from || s.At >= to {
			continue
		}
		n := s.OK - s.Degraded
		if float64(n) < least*float64(s.Due) {
			break
		}
		good, due = good+n, due+s.Due
		if s.At <= to-left && float64(good) >= together*float64(due) {
			first = s.At
		}
	}
	return first
}

// brief is a time for a table.
func brief(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1e3)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1e3)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

func pair(a, b time.Duration) string { return brief(a) + " / " + brief(b) }
