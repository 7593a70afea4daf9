package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"weir/internal/load"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type loadFlags struct {
	rate       float64
	levels     []int
	rounds     int
	duration   time.Duration
	deadline   time.Duration
	grace      time.Duration
	maxTime    time.Duration
	maxOpen    int
	success    float64
	whole      bool
	kind       string
	method     string
	headers    []string
	body       string
	questions  string
	seed       uint64
	user       string
	users      int
	mode       string
	timeoutMS  int
	model      string
	encoding   string
	keyVar     string
	plot       string
	json       bool
	foreign    bool // --yes
	ofDuration bool // --duration was given
}

func (a *app) loadCommand() *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load URL",
		Short: "Put a load on an endpoint and see who waits, fails or hangs",
		Long: `Puts a load on an endpoint and prints what its callers saw: answers in time,
refusals, failures, and calls that hung, with the latencies of each second. Weir's
/v1/retrieve and any OpenAI-shaped /v1/embeddings are known by their path; any other
URL can be asked with --method, --header and --body.

Without --rate, as many callers as --levels says call at once, for some --rounds, or,
with --duration, again and again for that long. With --rate, calls arrive at that rate
whether or not earlier ones have ended, and latency counts from when a call was due:
so a server that hangs cannot hide it by slowing the measurement down.

It passes, with exit code 0, when at each level the part --success of the calls was
answered within --deadline and none hung, that is, had no end --grace later. Refusals
(429, 503) are no answers. Otherwise the exit code is 1.

It asks servers of this machine. For others say --yes, and be sure that they are yours.`,
		Example: `  weir load http://127.0.0.1:8080/v1/retrieve
  weir load http://127.0.0.1:8080/v1/retrieve --rate 50 --duration 30s --plot load.svg
  weir load http://127.0.0.1:8080/v1/embeddings --levels 1,10,100,500 --deadline 5s
  weir load http://127.0.0.1:9000/ask --body ask.json --header "X-Team: search" --rate 5`,
		Args: exactly(1, "the URL of an endpoint, such as http://127.0.0.1:8080/v1/retrieve"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.ofDuration = cmd.Flags().Changed("duration")
			if err := f.fit(cmd.Flags()); err != nil {
				return err
			}
			return a.load(cmd.Context(), args[0], f)
		},
	}
	f.addTo(cmd)
	return cmd
}

func (f *loadFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.rate, "rate", 0, "calls that arrive in a second, whatever becomes of the earlier ones")
	flags.IntSliceVar(&f.levels, "levels", []int{1, 3, 7, 10}, "callers at once, one level after the other")
	flags.IntVar(&f.rounds, "rounds", 5, "how often the callers of a level call")
	flags.DurationVar(&f.duration, "duration", 10*time.Second, "how long calls arrive, at each level")
	flags.DurationVar(&f.deadline, "deadline", 10*time.Second, "within which a call must be answered")
	flags.DurationVar(&f.grace, "grace", time.Second, "after which a call without an end has hung and is given up")
	flags.DurationVar(&f.maxTime, "max-time", 10*time.Minute, "longest the rounds of a level may take")
	flags.IntVar(&f.maxOpen, "max-open", 4096, "most calls in flight; those due beyond it count as not sent")
	flags.Float64Var(&f.success, "success", 0.99, "least part of the calls to be answered in time, from 0 to 1")
	flags.BoolVar(&f.whole, "whole", false, "degraded answers do not count as answers")
	flags.StringVar(&f.kind, "kind", "", "retrieve, embeddings or any (default by the path)")
	flags.StringVar(&f.method, "method", "", "of the request (default POST with a body, else GET)")
	flags.StringArrayVar(&f.headers, "header", nil, "header to send, such as \"X-Team: search\"; may be given again")
	flags.StringVar(&f.body, "body", "", "`FILE` that holds the body of a request; {{question}} and {{n}} in it are filled in")
	flags.StringVar(&f.questions, "questions", "", "`FILE` that holds a question in each line (default: made up, all different)")
	flags.Uint64Var(&f.seed, "seed", 0, "makes the same questions up again (default: others each time)")
	flags.StringVar(&f.user, "user", "", "user to ask as, sent as X-User-ID (default: not sent)")
	flags.IntVar(&f.users, "users", 0, "ask as so many users in turn, named user-1 and so on")
	addModeFlag(flags, &f.mode)
	flags.IntVar(&f.timeoutMS, "timeout-ms", 0, "timeout_ms of each retrieval (default: the server's)")
	flags.StringVar(&f.model, "model", "text-embedding-3-small", "model to ask an embeddings endpoint for")
	flags.StringVar(&f.encoding, "encoding", "", "of embeddings, base64 or float; default: the server's")
	flags.StringVar(&f.keyVar, "key-env", "", "environment variable that holds a key, sent as a bearer token")
	flags.StringVar(&f.plot, "plot", "", "`FILE` to draw the latencies in, ending in .svg or .png")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.foreign, "yes", false, "the server is not on this machine, and I may put a load on it")
	flags.Lookup("levels").DefValue = "1,3,7,10"
	flags.Lookup("max-time").DefValue = "10m" // as it is printed; the values stay
	for _, flag := range []string{"rounds", "max-open", "seed", "users", "timeout-ms"} {
		named(flags, flag, wholeNumber)
	}
	for flag, value := range map[string]string{
		"rate": number, "success": number, "levels": "N,N", "duration": "TIME", "deadline": "TIME", "grace": "TIME", "max-time": "TIME",
		"kind": nameValue, "method": nameValue, "user": nameValue, "model": nameValue, "encoding": nameValue, "key-env": nameValue, "header": "HEADER",
	} {
		named(flags, flag, value)
	}
}

// fit refuses flags that do not go together, or say nothing to a load.
func (f loadFlags) fit(flags *pflag.FlagSet) error {
	for _, s := range settings() {
		if s.flag != "" && flags.Changed(s.flag) {
			return usagef("--%s is a setting of Weir itself and says nothing to load; a call's time is --deadline", s.flag)
		}
	}
	for _, flag := range []string{"levels", "rounds"} {
		if flags.Changed("rate") && flags.Changed(flag) {
			return usagef("--rate and --%s are two kinds of load; give one of them", flag)
		}
	}
	if f.ofDuration && flags.Changed("rounds") {
		return usagef("--rounds and --duration both say how long; give one of them")
	}
	if flags.Changed("rate") && !(f.rate > 0) {
		return usagef("--rate must be over 0, not %v", f.rate)
	}
	return nil
}

// loaded is what a load has come to.
type loaded struct {
	URL       string       `json:"url"`
	Kind      load.Kind    `json:"kind"`
	Seed      uint64       `json:"seed,omitempty"`
	Questions int          `json:"questions,omitempty"` // of --questions
	Success   float64      `json:"success"`             // that was asked for
	Whole     bool         `json:"whole"`
	Pass      bool         `json:"pass"`
	Runs      []loadResult `json:"runs"`
}

// loadResult is one level, or the one rate.
type loadResult struct {
	Name    string       `json:"name"`
	Verdict load.Verdict `json:"verdict"`
	Report  *load.Report `json:"report"`
}

func (a *app) load(ctx context.Context, address string, f loadFlags) error {
	u, err := f.address(address)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	l := loaded{URL: u.Redacted(), Success: f.success, Whole: f.whole, Pass: true}
	asked, err := a.loadRequest(&l, u, f)
	if err != nil {
		return err
	}
	target, err := load.NewHTTP(asked)
	if err != nil {
		return usageError(strings.TrimPrefix(err.Error(), "load: "))
	}
	defer target.Close()
	plot, err := newPlot(f.plot)
	if err != nil {
		return err
	}
	s := a.newLoadShow(f)
	s.begin(l)
	var first int64
	for i, cfg := range f.runs() {
		name := runName(cfg)
		s.level(i, name)
		cfg.First, cfg.Progress = first, s.second
		report, err := load.Run(ctx, cfg, target)
		if err != nil {
			return usageError(strings.TrimPrefix(err.Error(), "load: "))
		}
		first += int64(report.Due) // no question is asked at two levels
		v := load.Demand{Success: f.success, Whole: f.whole}.Judge(report)
		l.Pass = l.Pass && v.Pass
		l.Runs = append(l.Runs, loadResult{name, v, report})
		s.result(l.Runs[i])
		if ctx.Err() != nil {
			break
		}
	}
	if err := errors.Join(s.end(l), plot.draw(l)); err != nil {
		return err
	}
	if !l.Pass {
		return errReported
	}
	return nil
}

// runs are the runs to make, one after the other.
func (f loadFlags) runs() []load.Config {
	c := load.Config{Deadline: f.deadline, Grace: f.grace, MaxOpen: f.maxOpen, Duration: f.duration}
	if f.rate > 0 {
		c.Rate = f.rate
		return []load.Config{c}
	}
	runs := make([]load.Config, len(f.levels))
	for i, n := range f.levels {
		runs[i] = c
		runs[i].Callers = n
		if !f.ofDuration {
			runs[i].Rounds, runs[i].MaxTime = f.rounds, f.maxTime
		}
	}
	return runs
}

func runName(c load.Config) string {
	if c.Rate > 0 {
		return fmt.Sprintf("%v a second", c.Rate)
	}
	return fmt.Sprintf("%d at once", c.Callers)
}

// address checks the URL.
func (f loadFlags) address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, usagef("%s is no URL of an endpoint, such as http://127.0.0.1:8080/v1/retrieve", printable(withoutPassword(text)))
	case u.User != nil:
		return nil, usagef("the URL must hold no user or password; name a variable that holds the key with --key-env")
	case !f.foreign && !isLocal(u.Hostname()):
		return nil, usagef("%s is not on this machine; a load may harm a server that others use: say --yes if it is yours", printable(u.Host))
	case f.kind == "" && f.body == "" && f.method == "" && strings.Trim(u.Path, "/") == "":
		return nil, usagef("which endpoint of %s? For Weir it is %s://%s/v1/retrieve; to ask the URL as it is: --kind any", printable(u.Host), u.Scheme, printable(u.Host))
	}
	return u, nil
}

// withoutPassword is an address without what stands before an @.
func withoutPassword(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// check refuses what cannot be, before anything is asked.
func (f loadFlags) check() error {
	if f.user != "" {
		if err := checkUser(f.user); err != nil {
			return err
		}
	}
	if err := checkMode(f.mode); err != nil {
		return err
	}
	for _, n := range f.levels {
		if n < 1 || n > 65536 {
			return usagef("--levels must be numbers from 1 to 65536, not %d", n)
		}
		if f.rate == 0 && n > f.maxOpen {
			return usagef("--levels %d is more than --max-open %d", n, f.maxOpen)
		}
	}
	for flag, d := range map[string]time.Duration{"deadline": f.deadline, "grace": f.grace, "duration": f.duration, "max-time": f.maxTime} {
		if d <= 0 {
			return usagef("--%s must be over 0, such as 10s, not %s", flag, d)
		}
	}
	switch {
	case len(f.levels) == 0:
		return usagef("--levels needs at least one number")
	case f.rounds < 1:
		return usagef("--rounds must be at least 1, not %d", f.rounds)
	case f.maxOpen < 1:
		return usagef("--max-open must be at least 1, not %d", f.maxOpen)
	case !(f.success >= 0 && f.success <= 1):
		return usagef("--success must be from 0 to 1 (0.99 is 99 %%), not %v", f.success)
	case f.users < 0:
		return usagef("--users must be at least 1, not %d", f.users)
	case f.users > 0 && f.user != "":
		return usagef("--user and --users exclude each other")
	case f.timeoutMS < 0:
		return usagef("--timeout-ms must be at least 1, not %d", f.timeoutMS)
	case f.encoding != "" && f.encoding != "float" && f.encoding != "base64":
		return usagef("--encoding must be float or base64, not %q", f.encoding)
	case f.kind != "" && f.kind != "retrieve" && f.kind != "embeddings" && f.kind != "any":
		return usagef("--kind must be retrieve, embeddings or any, not %q", f.kind)
	}
	return nil
}

// newSeed is for questions that no earlier run has asked.
func newSeed() uint64 { return rand.Uint64N(1<<40) + 1 }
