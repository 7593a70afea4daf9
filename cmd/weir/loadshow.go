package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/load"
	"weir/internal/load/chart"
)

// loadShow tells how a load goes: on stderr while it goes, and on stdout what
// came of it.
type loadShow struct {
	out, talk io.Writer
	json      bool
	live      bool // talk is a terminal: a line may be written over
	open      bool // such a line is on the screen
	lines     int  // of seconds
	byLevel   bool
	name      string
	table     bool // its head was printed
}

func (a *app) newLoadShow(f loadFlags) *loadShow {
	return &loadShow{
		out: a.stdout, talk: a.stderr, json: f.json, byLevel: f.rate == 0 && !f.ofDuration,
		live: a.terminalWidth(a.stderr) > 0,
	}
}

func (s *loadShow) begin(l loaded) {
	what := map[load.Kind]string{load.Retrieve: "Weir's retrieval", load.Embeddings: "embeddings in OpenAI's shape", load.Any: "any answer of status 2xx counts"}[l.Kind]
	fmt.Fprintf(s.talk, "%s: %s\n", printable(l.URL), what)
}

// level begins a run.
func (s *loadShow) level(i int, name string) {
	s.name, s.lines = name, 0
	if !s.byLevel && i > 0 {
		s.wipe()
		fmt.Fprintf(s.talk, "\n%s\n", name)
	}
}

// headEvery repeats the head of the lines, so that it is on the screen.
const headEvery = 20

// second tells of one that is over. With rounds of callers most are over within
// a second, and a line is only for who waits at a terminal.
func (s *loadShow) second(sec load.Second) {
	if s.byLevel {
		if s.live {
			s.over(fmt.Sprintf("%s: second %d, %d answered in it, %d in flight", s.name, sec.At+1, sec.OK, sec.Open))
		}
		return
	}
	if s.lines%headEvery == 0 {
		fmt.Fprintf(s.talk, "%6s %7s %7s %8s %7s %6s %8s %9s %10s %10s\n", "second", "due", "ok", "refused", "failed", "hung", "not sent", "in flight", "p50", "p99")
	}
	s.lines++
	fmt.Fprintf(s.talk, "%6d %7d %7d %8d %7d %6d %8d %9d %10s %10s\n",
		sec.At+1, sec.Due, sec.OK, sec.Refused, sec.Failed, sec.Hung, sec.NotSent, sec.Open, latencyText(sec.P50), latencyText(sec.P99))
}

// over writes a line that the next one replaces.
func (s *loadShow) over(line string) {
	fmt.Fprintf(s.talk, "\r\x1b[K%s", line)
	s.open = true
}

func (s *loadShow) wipe() {
	if s.open {
		fmt.Fprint(s.talk, "\r\x1b[K")
		s.open = false
	}
}

// result tells what came of a run.
func (s *loadShow) result(r loadResult) {
	s.wipe()
	if s.json {
		return
	}
	if s.byLevel {
		s.row(r)
		return
	}
	s.page(r)
}

// row is a run as a line of a table, printed as soon as it is over.
func (s *loadShow) row(r loadResult) {
	if !s.table {
		s.table = true
		fmt.Fprintf(s.out, "%-14s %6s %6s %8s %7s %7s %5s %10s %10s %10s\n", "", "calls", "ok", "degraded", "refused", "failed", "hung", "p50", "p99", "max")
	}
	p := r.Report
	fmt.Fprintf(s.out, "%-14s %6d %6d %8d %7d %7d %5d %10s %10s %10s  %s\n", r.Name, p.Due, p.OK, p.Degraded, p.Refused, p.Failed, p.Hung,
		latencyText(p.Answers.At(0.5)), latencyText(p.Answers.At(0.99)), latencyText(p.Answers.Max()), passText(r.Verdict.Pass))
}

// page is a run in full.
func (s *loadShow) page(r loadResult) {
	p := r.Report
	fmt.Fprintf(s.out, "\n%s for %s: %d calls were due, %d sent, at most %d in flight\n\n", r.Name, p.Took.Round(100*time.Millisecond), p.Due, p.Sent, p.MostOpen)
	fmt.Fprintf(s.out, "%-10s %8s %10s %10s %10s %10s %10s %10s\n", "", "calls", "p50", "p90", "p95", "p99", "p99.9", "max")
	for _, l := range []struct {
		name string
		of   *load.Latency
	}{{"answered", p.Answers}, {"refused", p.Refusals}, {"failed", p.Failures}} {
		if l.of.Count() == 0 && l.name != "answered" {
			continue
		}
		fmt.Fprintf(s.out, "%-10s %8d", l.name, l.of.Count())
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999, 1} {
			fmt.Fprintf(s.out, " %10s", latencyText(l.of.At(q)))
		}
		fmt.Fprintln(s.out)
	}
	for _, c := range []struct {
		name string
		n    int
	}{{"hung", p.Hung}, {"not sent", p.NotSent}, {"cut short", p.Unfinished}} {
		if c.n > 0 {
			fmt.Fprintf(s.out, "%-10s %8d\n", c.name, c.n)
		}
	}
	if p.Degraded > 0 {
		fmt.Fprintf(s.out, "\n%d of the answers were degraded.\n", p.Degraded)
	}
}

// end prints the verdict, or all as JSON.
func (s *loadShow) end(l loaded) error {
	s.wipe()
	if s.json {
		return printJSON(s.out, l)
	}
	calls := 0
	for _, r := range l.Runs {
		if kinds := failureText(r.Report); kinds != "" {
			fmt.Fprintf(s.talk, "failed at %s: %s\n", r.Name, kinds)
		}
		if behind := r.Report.Behind(); behind != "" {
			fmt.Fprintf(s.talk, "at %s %s\n", r.Name, behind)
		}
		if r.Report.NotSent > 0 {
			fmt.Fprintf(s.talk, "at %s %d calls were not sent, because %d were in flight (--max-open); they count as not answered\n", r.Name, r.Report.NotSent, r.Report.MostOpen)
		}
		calls += r.Report.Due
	}
	if l.Questions > 0 && calls > l.Questions {
		fmt.Fprintf(s.talk, "%d questions were asked %d times, so a cache may have answered\n", l.Questions, calls)
	}
	fmt.Fprintln(s.out)
	if l.Pass && len(l.Runs) > 1 {
		_, err := fmt.Fprintf(s.out, "PASS: at each level at least %v %% of the calls were answered within %s, and none hung.\n", 100*l.Success, l.Runs[0].Report.Deadline)
		return err
	}
	for _, r := range l.Runs {
		if r.Verdict.Pass == l.Pass {
			if _, err := fmt.Fprintf(s.out, "%s: %s: %s.\n", passText(l.Pass), r.Name, r.Verdict.Words); err != nil {
				return err
			}
		}
	}
	return nil
}

func passText(pass bool) string {
	if pass {
		return "PASS"
	}
	return "FAIL"
}

// failureText counts the kinds of failures, the most frequent first.
func failureText(r *load.Report) string {
	kinds := slices.SortedFunc(maps.Keys(r.Kinds), func(x, y string) int {
		if n := r.Kinds[y] - r.Kinds[x]; n != 0 {
			return n
		}
		return strings.Compare(x, y)
	})
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%s %d", k, r.Kinds[k])
	}
	return strings.Join(kinds, ", ")
}

// latencyText is a time for a column; a dash if there is none.
func latencyText(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1e3)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1e3)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// plot is the picture of --plot; empty: none is wanted.
type plot string

// newPlot refuses a picture that cannot be drawn, before there is a load.
func newPlot(name string) (plot, error) {
	if name == "" {
		return "", nil
	}
	if ext := strings.ToLower(filepath.Ext(name)); ext != ".svg" && ext != ".png" {
		return "", usagef("--plot must end in .svg or .png, not %q", printable(name))
	}
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return "", usagef("--plot: there is no folder %s", printable(filepath.Dir(name)))
	}
	return plot(name), nil
}

func (p plot) draw(l loaded) error {
	if p == "" || len(l.Runs) == 0 {
		return nil
	}
	c := chart.Chart{Title: "weir load " + l.URL, Subtitle: passText(l.Pass) + ": " + l.Runs[0].Name + ": " + l.Runs[0].Verdict.Words}
	for _, r := range l.Runs {
		part := chart.Part{Report: r.Report}
		if len(l.Runs) > 1 {
			part.Name = r.Name
		}
		c.Parts = append(c.Parts, part)
	}
	if len(l.Runs) > 1 {
		c.Subtitle = fmt.Sprintf("%s: at least %v %% of the calls are to be answered within %s, and none is to hang", passText(l.Pass), 100*l.Success, l.Runs[0].Report.Deadline)
	}
	picture := c.SVG()
	if strings.EqualFold(filepath.Ext(string(p)), ".png") {
		var err error
		if picture, err = c.PNG(); err != nil {
			return err
		}
	}
	return os.WriteFile(string(p), picture, 0o600)
}
