package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/internal/chaos"
	"weir/internal/load"
)

type outageFlags struct {
	seconds, before, after int
	faults, modes          string
	share                  float64
}

// outage: a steady load, during which the provider is gone for a while.
func outage(flags *flag.FlagSet) func(context.Context, *site) error {
	var f outageFlags
	flags.IntVar(&f.seconds, "seconds", 30, "of outage")
	flags.IntVar(&f.before, "before", 8, "seconds of load before it")
	flags.IntVar(&f.after, "after", 20, "seconds of load after it")
	flags.StringVar(&f.faults, "faults", string(chaos.Silent)+","+string(chaos.Refuses)+","+string(chaos.Status503), "of internal/chaos, one after the other")
	flags.StringVar(&f.modes, "modes", "vector,hybrid", "of retrieval, one after the other")
	flags.Float64Var(&f.share, "share", 0.8, "of the peak that the load is")
	return func(ctx context.Context, s *site) error {
		if f.seconds < 1 {
			return errors.New("-seconds must be at least 1")
		}
		fmt.Fprintf(s.out, "A provider with 8 slots × 80 ms, gone for %d s; %.0f %% of the peak load; %s\n\n", f.seconds, 100*f.share, machine())
		fmt.Fprint(s.out, "| mode | outage | load/s | before: whole/s | in it: whole, degraded, refused, failed /s | hung | its answers and refusals: p99 | provider calls in it, per call | whole again after |\n|---|"+strings.Repeat("---|", 8)+"\n")
		for mode := range strings.SplitSeq(f.modes, ",") {
			if err := f.measure(ctx, s, mode); err != nil {
				return err
			}
		}
		return nil
	}
}

func (f outageFlags) measure(ctx context.Context, s *site, mode string) (err error) {
	p, err := chaos.Start(ctx, chaos.Config{Dim: s.dim, Slots: 8, Latency: 80 * time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	// What it is like when it is well.
	if err := p.Set(ctx, chaos.FewSlotsQueue); err != nil {
		return err
	}
	c, err := s.start(ctx, "outage-"+mode, p.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.teach(ctx, 10); err != nil {
		return err
	}
	var sd seeds
	peak, err := s.peak(ctx, c, mode, &sd, []int{32, 64}, max(time.Duration(f.before)*time.Second/2, 2*time.Second))
	if err != nil {
		return err
	}
	for fault := range strings.SplitSeq(f.faults, ",") {
		if err := f.strike(ctx, s, c, p, mode, chaos.Fault(fault), f.share*peak, &sd); err != nil {
			return fmt.Errorf("%s: %w", fault, err)
		}
	}
	return nil
}

func (f outageFlags) strike(ctx context.Context, s *site, c *child, p *chaos.Provider, mode string, fault chaos.Fault, rate float64, sd *seeds) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		attempts int
		setting  sync.WaitGroup
		failed   error
	)
	setting.Go(func() {
		failed = func() error {
			if err := sleep(ctx, time.Duration(f.before)*time.Second); err != nil {
				return err
			}
			was := p.Stats().Attempts
			if err := p.Set(ctx, fault); err != nil {
				return err
			}
			fmt.Fprintf(s.talk, "%s: %s begins\n", mode, fault)
			if err := sleep(ctx, time.Duration(f.seconds)*time.Second); err != nil {
				return err
			}
			attempts = p.Stats().Attempts - was
			fmt.Fprintf(s.talk, "%s: %s ends\n", mode, fault)
			return p.Set(ctx, chaos.FewSlotsQueue)
		}()
		if failed != nil {
			cancel()
		}
	})
	total := f.before + f.seconds + f.after
	r, err := retrieving(ctx, c, mode, sd.take(), load.Config{Rate: rate, Duration: time.Duration(total) * time.Second, Progress: func(v load.Second) {
		fmt.Fprintf(s.talk, "%s: second %d: %d due, %d whole, %d degraded, %d refused, %d failed, %d hung, p99 %s\n", mode, v.At+1, v.Due, v.OK-v.Degraded, v.Degraded, v.Refused, v.Failed, v.Hung, brief(v.P99))
	}})
	if err != nil {
		cancel()
	}
	setting.Wait()
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	var in load.Second
	from, to := f.before, f.before+f.seconds
	for _, v := range r.Seconds {
		if v.At >= from && v.At < to {
			in.Due, in.OK, in.Degraded, in.Refused, in.Failed = in.Due+v.Due, in.OK+v.OK, in.Degraded+v.Degraded, in.Refused+v.Refused, in.Failed+v.Failed
		}
	}
	n := float64(f.seconds)
	again := "not"
	if at := recovered(r, to, total); at >= 0 {
		again = fmt.Sprintf("%d s", at-to)
	}
	_, err = fmt.Fprintf(s.out, "| %s | %s | %.0f | %.0f | %.0f, %.0f, %.0f, %.0f | %d | %s, %s | %d, %.2f | %s |\n",
		mode, fault, rate, whole(r, 1, from), float64(in.OK-in.Degraded)/n, float64(in.Degraded)/n, float64(in.Refused)/n, float64(in.Failed)/n,
		r.Hung, brief(r.Answers.At(0.99)), brief(r.Refusals.At(0.99)), attempts, float64(attempts)/float64(max(in.Due, 1)), again)
	return err
}
