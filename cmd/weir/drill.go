package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"weir/internal/chaos"
	"weir/internal/drill"

	"github.com/spf13/cobra"
)

type drillFlags struct {
	faults   []string
	through  string
	callers  int
	deadline time.Duration
	side     int
	list     bool
	json     bool
	markdown bool
}

// The doors that a drill goes through.
const (
	throughRetrieve   = "retrieve"
	throughVector     = "vector"
	throughMCP        = "mcp"
	throughCLI        = "cli"
	throughEmbeddings = "embeddings"
	throughAsk        = "ask"
	throughChat       = "chat"
)

func drillDoors() []string {
	return []string{throughRetrieve, throughVector, throughMCP, throughCLI, throughEmbeddings, throughAsk, throughChat}
}

// chat reports whether it is the chat model that misbehaves.
func (f drillFlags) chat() bool { return f.through == throughAsk || f.through == throughChat }

func (a *app) drillCommand() *cobra.Command {
	var f drillFlags
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Show what callers see when a provider misbehaves",
		Long: `Starts Weir and a provider of vectors, or of answers, that misbehaves, in this process and on this
machine's loopback alone, and drives one through all that the other can do wrong. For
each fault Weir begins anew: callers of several users ask, the provider begins to
misbehave while they do, and is healed. The table says what callers saw, and how long
after the fault's end they were answered again. It ends with a verdict, and exit code 1
when a call was late, hung or wrong, when an outage was met with more requests than
calls, when it took more than 5 s to be well again, or when something was left.

Nothing of yours is touched: it has a data folder and documents of its own, which it
removes. Settings have no effect on it.`,
		Example: `  weir drill
  weir drill --callers 200 --deadline 1s
  weir drill --fault never,black-hole --through vector`,
		Args: exactly(0, "nothing"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.drill(cmd, f) },
	}
	flags := cmd.Flags()
	defaults := drill.Config{}.WithDefaults()
	flags.StringSliceVar(&f.faults, "fault", nil, "only these faults, separated by commas; may be given again (default all)")
	named(flags, "fault", nameValue)
	flags.BoolVar(&f.list, "list", false, "list the faults, and do nothing")
	flags.StringVar(&f.through, "through", throughRetrieve, "retrieve (hybrid: words stand in for vectors), vector (nothing stands in), mcp (the tool retrieve), cli (weir search) or embeddings (/v1/embeddings), which ask the provider for vectors; ask (/v1/ask) or chat (the same in OpenAI's shape), which have it write answers")
	named(flags, "through", nameValue)
	flags.IntVar(&f.callers, "callers", defaults.Callers, "who ask at the same time")
	named(flags, "callers", wholeNumber)
	flags.DurationVar(&f.deadline, "deadline", defaults.Deadline, "deadline of each call")
	named(flags, "deadline", "DURATION")
	flags.IntVar(&f.side, "side-by-side", defaults.SideBySide, "faults driven at the same time; 1 where the machine is slow")
	named(flags, "side-by-side", wholeNumber)
	flags.BoolVar(&f.json, "json", false, "print one JSON document at the end")
	flags.BoolVar(&f.markdown, "markdown", false, "print a Markdown table at the end")
	return cmd
}

// check refuses what cannot be, and returns the faults asked for; nil: all.
func (f drillFlags) check() ([]chaos.Fault, error) {
	switch {
	case !slices.Contains(drillDoors(), f.through):
		return nil, usagef("--through must be one of %s, not %q", strings.Join(drillDoors(), ", "), f.through)
	case f.callers < 1 || f.callers > 1000:
		return nil, usagef("--callers must be from 1 to 1000, not %d", f.callers)
	case f.deadline < 100*time.Millisecond || f.deadline > time.Minute:
		return nil, usagef("--deadline must be from 100ms to 1m, not %s", f.deadline)
	case f.side < 1 || f.side > 100:
		return nil, usagef("--side-by-side must be from 1 to 100, not %d", f.side)
	case f.json && f.markdown:
		return nil, usagef("give --json or --markdown, not both")
	}
	var known []string
	for _, e := range drill.Table(f.chat()) {
		known = append(known, string(e.Fault))
	}
	var out []chaos.Fault
	for _, name := range f.faults {
		if !slices.Contains(known, name) {
			return nil, usagef("there is no fault %q%s (weir drill --list has them all)", name, didYouMean(name, known))
		}
		if !slices.Contains(out, chaos.Fault(name)) {
			out = append(out, chaos.Fault(name))
		}
	}
	return out, nil
}

func (a *app) drill(cmd *cobra.Command, f drillFlags) (err error) {
	ctx := cmd.Context()
	faults, err := f.check()
	if err != nil {
		return err
	}
	if f.list {
		return a.listFaults(f, faults)
	}
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	for _, name := range ignoredByServer(cmd.Flags()) {
		fmt.Fprintf(a.stderr, "weir: --%s has no effect here: the drill has settings of its own\n", name)
	}
	dir, err := os.MkdirTemp(a.variable("TMPDIR"), "weir-drill-")
	if err != nil {
		return fmt.Errorf("the drill needs a folder of its own: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := drill.Config{
		Chat: f.chat(), Faults: faults, Callers: f.callers, Deadline: f.deadline, SideBySide: f.side,
		Alone:     []chaos.Fault{chaos.ChatEndless, chaos.ChatBlankFlood}, // they are as fast as this process reads them
		Unbounded: true,                                                   // the deadline is told to Weir, and Weir is to keep it
	}.WithDefaults()
	began := time.Now()
	s := a.newDrillShow(f, len(cfg.Faults))
	defer s.end()
	s.say("preparing documents")
	site, err := newSite(ctx, dir, a.cacheDir(c), f, cfg.Dim)
	if err != nil {
		return err
	}
	s.head()
	cfg.Watch = s.event
	rows, err := drill.Run(ctx, cfg, site.open)
	s.end()
	return a.tellDrill(f, rows, time.Since(began), err)
}

// tellDrill prints the end of it.
func (a *app) tellDrill(f drillFlags, rows []drill.Row, took time.Duration, broken error) error {
	v := newVerdict(f, rows, took, broken)
	switch {
	case f.json:
		if err := printJSON(a.stdout, v); err != nil {
			return err
		}
	case f.markdown:
		fmt.Fprintf(a.stdout, "%s\n\n%s\n%s\n", v.setting(), drill.Markdown(rows), v.Verdict)
		for _, r := range v.Faults {
			for _, line := range r.lines() {
				fmt.Fprintf(a.stdout, "- `%s`: %s\n", r.Fault, line)
			}
		}
	default:
		fmt.Fprintf(a.stdout, "\n%s\n", v.Verdict)
		for _, r := range v.Faults {
			for _, line := range r.lines() {
				fmt.Fprintf(a.stdout, "  %s: %s\n", r.Fault, line)
			}
			for _, n := range r.Notes {
				fmt.Fprintf(a.stdout, "      %s\n", printable(n))
			}
		}
	}
	switch {
	case broken != nil && !errors.Is(broken, context.Canceled):
		return broken
	case !v.Passed:
		return errReported
	default:
		return nil
	}
}

// verdict is what --json prints.
type verdict struct {
	Build      build       `json:"build"`
	Cores      int         `json:"cores"`
	Through    string      `json:"through"`
	Callers    int         `json:"callers"`
	DeadlineMS int64       `json:"deadline_ms"`
	SideBySide int         `json:"side_by_side"`
	TookMS     int64       `json:"took_ms"`
	Faults     []judgedRow `json:"faults"`
	Calls      int         `json:"calls"`
	Late       int         `json:"late"`
	Hung       int         `json:"hung"`
	Wrong      int         `json:"wrong"` // another user's, unclear, and degraded without a word among them
	Passed     bool        `json:"passed"`
	Verdict    string      `json:"verdict"`
}

type judgedRow struct {
	drill.Row
	Complaints []string `json:"complaints"`       // none: it passed
	Remark     string   `json:"remark,omitempty"` // where it passed, but is worse than the fault excuses
}

// lines are what there is to say of a row.
func (r judgedRow) lines() []string {
	if r.Remark == "" {
		return r.Complaints
	}
	return append(slices.Clone(r.Complaints), r.Remark)
}

func newVerdict(f drillFlags, rows []drill.Row, took time.Duration, broken error) verdict {
	v := verdict{
		Build: thisBuild(), Cores: runtime.GOMAXPROCS(0), Through: f.through, Callers: f.callers,
		DeadlineMS: f.deadline.Milliseconds(), SideBySide: f.side, TookMS: took.Milliseconds(), Faults: []judgedRow{},
	}
	failed, skipped := 0, 0
	for _, r := range rows {
		j := judgedRow{Row: r, Complaints: r.Complaints(drill.Limits{}), Remark: r.Remark()}
		if j.Complaints == nil {
			j.Complaints = []string{}
		}
		if len(j.Complaints) > 0 {
			failed++
		}
		if r.Skipped != "" {
			skipped++
		}
		v.Calls += r.AllCalls
		v.Late += r.Late
		v.Hung += r.Hung
		v.Wrong += r.Bad()
		v.Faults = append(v.Faults, j)
	}
	v.Passed = failed == 0 && broken == nil && skipped < len(rows)
	driven := len(rows) - skipped
	of := fmt.Sprintf("%s by %s with a deadline of %s each, in %s", plural(driven, "fault"), plural(f.callers, "caller"), f.deadline, took.Round(time.Second))
	switch {
	case broken != nil:
		v.Verdict = "BROKEN OFF after " + of + "."
	case driven == 0:
		v.Verdict = "FAILED: no fault could be driven."
	case v.Passed:
		v.Verdict = fmt.Sprintf("PASSED: %s. %d calls: none late, none hung, none wrong; every degraded answer said so; "+
			"callers were answered again within 5 s of each fault's end, and nothing was left behind.", of, v.Calls)
	default:
		v.Verdict = fmt.Sprintf("FAILED in %d of %s. %d calls: %d late, %d hung, %d wrong.", failed, of, v.Calls, v.Late, v.Hung, v.Wrong)
	}
	if skipped > 0 {
		v.Verdict += fmt.Sprintf(" %s not driven, because this system cannot show them.", plural(skipped, "fault"))
	}
	return v
}

// setting says in one line how the table came to be.
func (v verdict) setting() string {
	return fmt.Sprintf("`weir drill --through %s --callers %d --deadline %s`, %s, %d cores, %s:",
		v.Through, v.Callers, time.Duration(v.DeadlineMS)*time.Millisecond, v.Build.Platform, v.Cores, v.Build.Go)
}

func (a *app) listFaults(f drillFlags, only []chaos.Fault) error {
	type listed struct {
		Fault  chaos.Fault `json:"fault"`
		Does   string      `json:"does"`
		Expect string      `json:"expect"`
	}
	all := []listed{}
	for _, e := range drill.Table(f.chat()) {
		if only == nil || slices.Contains(only, e.Fault) {
			all = append(all, listed{e.Fault, e.Does, e.Expect.String()})
		}
	}
	if f.json {
		return printJSON(a.stdout, all)
	}
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintf(&b, "%-*s %s\n", faultWidth, l.Fault, l.Does)
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}
