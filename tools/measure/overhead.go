package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"weir/internal/load"
)

type overheadFlags struct {
	seconds, rounds, callers int
	rate                     float64
	encoding                 string
}

// overhead: the client alone with an instant provider, and Weir between them,
// by turns.
func overhead(flags *flag.FlagSet) func(context.Context, *site) error {
	var f overheadFlags
	flags.IntVar(&f.seconds, "seconds", 10, "of each round")
	flags.IntVar(&f.rounds, "rounds", 5, "of each kind")
	flags.Float64Var(&f.rate, "rate", 1000, "calls a second, in the open loop")
	flags.IntVar(&f.callers, "callers", 32, "who call again and again, at saturation")
	flags.StringVar(&f.encoding, "encoding", "base64", "of the vectors: base64, as OpenAI's clients ask for, or float")
	return func(ctx context.Context, s *site) error {
		if f.rounds < 1 || f.seconds < 1 {
			return errors.New("-rounds and -seconds must be at least 1")
		}
		return f.measure(ctx, s)
	}
}

// arm is one way to the provider, with a value for each round.
type arm struct {
	name, url      string
	p50, p99       []time.Duration // in the open loop
	sent50, sent99 []time.Duration // of the same, without the lag of the generator
	busy50, busy99 []time.Duration // when saturated
	done           []float64       // calls a second when saturated
	bad            int             // calls that were not answered
}

func (f overheadFlags) measure(ctx context.Context, s *site) (err error) {
	d, err := openDesk(ctx, s.dim, 0, 0, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	c, err := s.start(ctx, "overhead", d.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	arms := []*arm{{name: "client alone", url: d.url + "/embeddings"}, {name: "through Weir", url: c.url + "/v1/embeddings"}}
	var sd seeds
	for _, a := range arms { // connections, code and caches are warm before anything counts
		if _, err := f.once(ctx, c, a, &sd, load.Config{Callers: f.callers, Duration: time.Second}); err != nil {
			return err
		}
		if a.bad > 0 {
			return fmt.Errorf("%s: %d calls were not answered; does this build have %s?", a.name, a.bad, a.url)
		}
	}
	for round := range f.rounds {
		for k := range arms {
			a := arms[(k+round)%2] // who goes first takes turns
			open, err := f.once(ctx, c, a, &sd, load.Config{Rate: f.rate, Duration: time.Duration(f.seconds) * time.Second})
			if err != nil {
				return err
			}
			sat, err := f.once(ctx, c, a, &sd, load.Config{Callers: f.callers, Duration: time.Duration(f.seconds) * time.Second})
			if err != nil {
				return err
			}
			a.p50, a.p99 = append(a.p50, open.Answers.At(0.5)), append(a.p99, open.Answers.At(0.99))
			a.sent50, a.sent99 = append(a.sent50, open.AnswersSent.At(0.5)), append(a.sent99, open.AnswersSent.At(0.99))
			a.busy50, a.busy99 = append(a.busy50, sat.Answers.At(0.5)), append(a.busy99, sat.Answers.At(0.99))
			a.done = append(a.done, float64(sat.OK)/sat.Took.Seconds())
			fmt.Fprintf(s.talk, "round %d, %s: %.0f/s: p50 %s p99 %s; saturation: %.0f/s p50 %s p99 %s\n", round+1, a.name, f.rate,
				brief(open.Answers.At(0.5)), brief(open.Answers.At(0.99)), float64(sat.OK)/sat.Took.Seconds(), brief(sat.Answers.At(0.5)), brief(sat.Answers.At(0.99)))
		}
	}
	return f.print(s, arms)
}

func (f overheadFlags) once(ctx context.Context, c *child, a *arm, sd *seeds, cfg load.Config) (*load.Report, error) {
	ask := load.Ask{Questions: load.Questions{Seed: sd.take()}, Model: "chaos", Encoding: f.encoding}
	target, err := load.NewHTTP(load.HTTPConfig{URL: a.url, Kind: load.Embeddings, Body: ask.Embeddings})
	if err != nil {
		return nil, err
	}
	defer target.Close()
	r, err := load.Run(ctx, cfg, target)
	if err != nil {
		return nil, err
	}
	a.bad += r.Due - r.OK
	return r, errors.Join(ctx.Err(), c.alive())
}

// print prints the median of the rounds, which a burst of other work on the
// machine does not move, with the least and the most; what Weir adds is the
// median of the differences within a round.
func (f overheadFlags) print(s *site, arms []*arm) error {
	fmt.Fprintf(s.out, "One text a call, %d values as %s, %d rounds of %d s, by turns: median (least to most) of the rounds; %s\n\n", s.dim, f.encoding, f.rounds, f.seconds, machine())
	fmt.Fprintf(s.out, "| | %.0f calls/s: p50 | p99 | from sending: p50 | p99 | %d callers: calls/s | p50 | p99 | not answered |\n|---|---|---|---|---|---|---|---|---|\n", f.rate, f.callers)
	for _, a := range arms {
		fmt.Fprintf(s.out, "| %s | %s | %s | %s | %s | %.0f | %s | %s | %d |\n", a.name,
			ranged(a.p50), ranged(a.p99), ranged(a.sent50), ranged(a.sent99), median(a.done), ranged(a.busy50), ranged(a.busy99), a.bad)
	}
	alone, through := arms[0], arms[1]
	_, err := fmt.Fprintf(s.out, "| added | %s | %s | %s | %s | | %s | %s | |\n", added(alone.p50, through.p50), added(alone.p99, through.p99),
		added(alone.sent50, through.sent50), added(alone.sent99, through.sent99), added(alone.busy50, through.busy50), added(alone.busy99, through.busy99))
	return err
}

func ranged(rounds []time.Duration) string {
	return fmt.Sprintf("%s (%s to %s)", brief(median(rounds)), brief(slices.Min(rounds)), brief(slices.Max(rounds)))
}

// added is the median of the differences of rounds.
func added(alone, through []time.Duration) string {
	d := make([]time.Duration, len(alone))
	for i := range d {
		d[i] = through[i] - alone[i]
	}
	return fmt.Sprintf("%+.2f ms", float64(median(d).Microseconds())/1e3)
}

// median is the middle one, or the lower of two.
func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
