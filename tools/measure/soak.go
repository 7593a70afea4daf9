package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"weir/internal/chaos"
	"weir/internal/load"
)

type soakFlags struct {
	seconds     int
	rate        float64
	fault, look time.Duration
	mode        string
	seed        uint64
}

// soak: a steady load while the provider has one fault after the other.
func soak(flags *flag.FlagSet) func(context.Context, *site) error {
	var f soakFlags
	flags.IntVar(&f.seconds, "seconds", 600, "of faults")
	flags.Float64Var(&f.rate, "rate", 50, "calls a second")
	flags.DurationVar(&f.fault, "every", 2*time.Second, "another fault, or none")
	flags.DurationVar(&f.look, "look", 15*time.Second, "between two looks at Weir")
	flags.StringVar(&f.mode, "mode", "hybrid", "of retrieval")
	flags.Uint64Var(&f.seed, "seed", 1, "of the order of faults")
	return func(ctx context.Context, s *site) error {
		if f.seconds < 1 {
			return errors.New("-seconds must be at least 1")
		}
		return f.measure(ctx, s)
	}
}

// settleTime is what connections and goroutines get at the end before they are
// counted: a little longer than idle connections to the provider are kept.
const settleTime = 70 * time.Second

func (f soakFlags) measure(ctx context.Context, s *site) (err error) {
	p, err := chaos.Start(ctx, chaos.Config{Dim: s.dim})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	c, err := s.start(ctx, "soak", p.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.teach(ctx, 10); err != nil {
		return err
	}
	var sd seeds
	// Warm: what a server opens once and keeps, as it does readers of its store,
	// must not count as growth.
	if _, err := retrieving(ctx, c, f.mode, sd.take(), load.Config{Callers: 64, Duration: 5 * time.Second}); err != nil {
		return err
	}
	quiet := min(settleTime, time.Duration(f.seconds)*time.Second/2+2*time.Second)
	if err := sleep(ctx, quiet); err != nil {
		return err
	}
	before := c.look(ctx)
	fmt.Fprintf(s.talk, "before: %s\n", before)
	r, met, samples, err := f.storm(ctx, s, c, p, &sd)
	if err != nil {
		return err
	}
	well, err := retrieving(ctx, c, f.mode, sd.take(), load.Config{Rate: f.rate, Duration: 10 * time.Second})
	if err != nil {
		return err
	}
	if err := sleep(ctx, quiet); err != nil {
		return err
	}
	after := c.look(ctx)
	again := "not"
	if at := recovered(well, 0, 10); at >= 0 {
		again = fmt.Sprintf("%d s", at)
	}
	fmt.Fprintf(s.out, "%d s, %d changes among %d faults on new and open connections, %.0f calls/s, mode %s; %s\n\n", f.seconds, sum(met), len(met), f.rate, f.mode, machine())
	fmt.Fprint(s.out, "| | resident | goroutines | sockets | open files |\n|---|---|---|---|---|\n")
	for _, row := range []struct {
		name string
		v    sample
	}{{"before", before}, {"after", after}} {
		fmt.Fprintf(s.out, "| %s | %s | %s | %s | %s |\n", row.name, mib(row.v.resident), count(row.v.goroutines), count(row.v.sockets), count(row.v.files))
	}
	fmt.Fprintf(s.out, "| most meanwhile | %s | %s | %s | %s |\n\n", mib(most(samples)),
		count(mostOf(samples, func(v sample) int { return v.goroutines })), count(mostOf(samples, func(v sample) int { return v.sockets })), count(mostOf(samples, func(v sample) int { return v.files })))
	_, err = fmt.Fprintf(s.out, "Of %d calls %d were answered whole, %d degraded, %d refused, %d failed, %d hung, %d not sent; p50 / p99 / longest %s / %s / %s; whole again %s after the last fault; deadline overruns: %s.\n",
		r.Due, r.OK-r.Degraded, r.Degraded, r.Refused, r.Failed, r.Hung, r.NotSent,
		brief(r.Answers.At(0.5)), brief(r.Answers.At(0.99)), brief(r.Answers.Max()), again, count(c.metric(ctx, "weir_deadline_overruns_total")))
	for kind, n := range r.Kinds {
		fmt.Fprintf(s.talk, "failed: %s %d\n", kind, n)
	}
	return err
}

// storm is the load and the faults.
func (f soakFlags) storm(ctx context.Context, s *site, c *child, p *chaos.Provider, sd *seeds) (r *load.Report, met map[chaos.Fault]int, samples []sample, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		weather sync.WaitGroup
		failed  error
	)
	met = map[chaos.Fault]int{}
	weather.Go(func() {
		if failed = f.blow(ctx, s, p, met); failed != nil {
			cancel()
		}
	})
	looks := s.sampled(ctx, c, f.look)
	r, err = retrieving(ctx, c, f.mode, sd.take(), load.Config{Rate: f.rate, Duration: time.Duration(f.seconds) * time.Second})
	if err != nil {
		cancel()
	}
	weather.Wait()
	return r, met, looks.end(), errors.Join(failed, err)
}

// blow sets one fault after the other, with spells without, until the time is
// over, and leaves the provider well.
func (f soakFlags) blow(ctx context.Context, s *site, p *chaos.Provider, met map[chaos.Fault]int) error {
	random := rand.New(rand.NewPCG(f.seed, 0))
	faults := slices.DeleteFunc(chaos.Faults(), func(e chaos.Entry) bool {
		return e.Named || !slices.Contains(e.Wires, chaos.Plain)
	})
	end := time.Now().Add(time.Duration(f.seconds) * time.Second)
	for time.Now().Before(end) {
		if random.IntN(4) == 0 {
			if err := p.Heal(ctx); err != nil {
				return err
			}
		} else {
			fault := faults[random.IntN(len(faults))].Fault
			if err := p.Set(ctx, fault); err != nil && !errors.Is(err, chaos.ErrSystem) {
				return fmt.Errorf("%s: %w", fault, err)
			}
			met[fault]++
		}
		if err := sleep(ctx, min(f.fault, time.Until(end))); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.talk, "the last fault has ended; there were %v\n", slices.Sorted(maps.Keys(met)))
	return p.Heal(ctx)
}

func sum(met map[chaos.Fault]int) int {
	n := 0
	for _, k := range met {
		n += k
	}
	return n
}

func mostOf(all []sample, of func(sample) int) int {
	m := -1
	for _, v := range all {
		m = max(m, of(v))
	}
	return m
}
