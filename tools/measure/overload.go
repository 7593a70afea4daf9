package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"weir/internal/load"
)

type overloadFlags struct {
	seconds, slots, batch int
	latency               time.Duration
	times, ceiling        float64
	modes                 string
	every                 time.Duration
}

// overload: the peak, then some times as much, then less than the peak again.
func overload(flags *flag.FlagSet) func(context.Context, *site) error {
	var f overloadFlags
	flags.IntVar(&f.seconds, "seconds", 60, "of overload, in each mode")
	flags.IntVar(&f.slots, "slots", 8, "of the provider")
	flags.DurationVar(&f.latency, "latency", 80*time.Millisecond, "of the provider, for a batch of any size")
	flags.IntVar(&f.batch, "batch", 4, "most texts the provider takes in a call")
	flags.Float64Var(&f.times, "times", 10, "how many times the peak the overload is")
	flags.Float64Var(&f.ceiling, "ceiling", 8000, "most calls a second, whatever the peak is")
	flags.StringVar(&f.modes, "modes", "vector,hybrid", "of retrieval, one after the other")
	flags.DurationVar(&f.every, "every", 5*time.Second, "between two looks at Weir")
	return func(ctx context.Context, s *site) error {
		if f.seconds < 1 {
			return errors.New("-seconds must be at least 1")
		}
		fmt.Fprintf(s.out, "%d slots × %s, at most %d texts in a call; %d s of overload; %s\n\n", f.slots, f.latency, f.batch, f.seconds, machine())
		fmt.Fprint(s.out, "| mode | peak, whole answers/s | load/s | whole answers/s (of the peak) | degraded/s | refused/s | failed + hung + not sent | whole and degraded, p50 / p99 | refusals, p50 / p99 | the same from sending | resident: before, most, after | whole again after |\n|---|"+strings.Repeat("---|", 11)+"\n")
		for mode := range strings.SplitSeq(f.modes, ",") {
			if err := f.measure(ctx, s, mode); err != nil {
				return err
			}
		}
		return nil
	}
}

func (f overloadFlags) measure(ctx context.Context, s *site, mode string) (err error) {
	d, err := openDesk(ctx, s.dim, f.slots, f.latency, f.batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	c, err := s.start(ctx, "overload-"+mode, d.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.teach(ctx, 10); err != nil {
		return err
	}
	var sd seeds
	each := max(time.Duration(f.seconds)*time.Second/12, 2*time.Second)
	unit := f.slots * f.batch
	peak, err := s.peak(ctx, c, mode, &sd, []int{unit, 2 * unit, 4 * unit}, each)
	if err != nil {
		return err
	}
	before := c.look(ctx)
	p := s.sampled(ctx, c, f.every)
	over := time.Duration(f.seconds) * time.Second
	calls, texts := d.calls.Load(), d.texts.Load()
	calm := max(over/4, 8*time.Second)
	high, low, err := f.highThenLow(ctx, s, c, mode, &sd, min(f.times*peak, f.ceiling), 0.8*peak, over, calm)
	samples := p.end()
	if err != nil {
		return err
	}
	after := c.look(ctx)
	got := whole(high, 0, f.seconds)
	again := "not"
	if at := recovered(low, 0, int(calm/time.Second)); at >= 0 {
		again = fmt.Sprintf("%d s", at)
	}
	_, err = fmt.Fprintf(s.out, "| %s | %.0f | %.0f | %.0f (%.0f %%) | %.0f | %.0f | %d + %d + %d | %s | %s | %s | %s, %s, %s | %s |\n",
		mode, peak, high.Rate, got, 100*got/peak, float64(high.Degraded)/over.Seconds(), float64(high.Refused)/over.Seconds(),
		high.Failed, high.Hung, high.NotSent, pair(high.Answers.At(0.5), high.Answers.At(0.99)),
		pair(high.Refusals.At(0.5), high.Refusals.At(0.99)), pair(high.RefusalsSent.At(0.5), high.RefusalsSent.At(0.99)),
		mib(before.resident), mib(most(samples)), mib(after.resident), again)
	calls, texts = d.calls.Load()-calls, d.texts.Load()-texts
	fmt.Fprintf(s.talk, "%s: the provider had %d calls with %.2f texts each\n", mode, calls, float64(texts)/float64(max(calls, 1)))
	for kind, n := range high.Kinds {
		fmt.Fprintf(s.talk, "%s: failed: %s %d\n", mode, kind, n)
	}
	if b := high.Behind(); b != "" {
		fmt.Fprintln(s.talk, mode+": "+b)
	}
	return err
}

// highThenLow puts one load on and, the moment its calls have ceased to come,
// another: what is still open of the first is part of the second's trouble.
func (f overloadFlags) highThenLow(ctx context.Context, s *site, c *child, mode string, sd *seeds, high, low float64, highFor, lowFor time.Duration) (h, l *load.Report, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type done struct {
		r   *load.Report
		err error
	}
	first := make(chan done, 1)
	seed := sd.take()
	go func() {
		r, err := retrieving(ctx, c, mode, seed, load.Config{Rate: high, Duration: highFor, Progress: func(v load.Second) {
			if v.At%5 == 4 {
				fmt.Fprintf(s.talk, "%s: second %d: %d due, %d whole, %d degraded, %d refused, %d failed, %d hung\n", mode, v.At+1, v.Due, v.OK-v.Degraded, v.Degraded, v.Refused, v.Failed, v.Hung)
			}
		}})
		first <- done{r, err}
	}()
	err = sleep(ctx, highFor)
	if err == nil {
		l, err = retrieving(ctx, c, mode, sd.take(), load.Config{Rate: low, Duration: lowFor})
	}
	if err != nil {
		cancel()
	}
	d := <-first
	return d.r, l, errors.Join(err, d.err)
}
