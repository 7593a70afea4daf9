// Command baselines drives other ways to ask for a vector through the faults of
// weir drill, and prints them side by side with Weir's own pipeline. It is a
// module of its own, so that Weir does not depend on what it is compared with.
//
//	go run . [-markdown] [-no-deadline] [-callers N] [-fault a,b] [-only x,y]
//	go run . -into ../../docs/NEVER-HANGS.md -name baselines …   writes the table between the marks of that name
//	… | go run . -into FILE -name drill -paste                   writes what it reads there
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log" //nolint:depguard // only to silence it
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"weir/internal/chaos"
	"weir/internal/drill"
)

type options struct {
	markdown, unbounded, paste, quiet bool
	callers, side                     int
	deadline                          time.Duration
	faults, only, into, name          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.SetOutput(io.Discard) // net/http writes there what a provider sends unasked
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "baselines:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, talk io.Writer) error {
	var o options
	defaults := drill.Config{}.WithDefaults()
	flags := flag.NewFlagSet("baselines", flag.ContinueOnError)
	flags.SetOutput(talk)
	flags.BoolVar(&o.markdown, "markdown", false, "print Markdown")
	flags.BoolVar(&o.unbounded, "no-deadline", false, "the callers' contexts have no deadline; late is what they wanted and did not get")
	flags.IntVar(&o.callers, "callers", defaults.Callers, "who ask at the same time")
	flags.IntVar(&o.side, "side-by-side", defaults.SideBySide, "faults driven at the same time")
	flags.DurationVar(&o.deadline, "deadline", defaults.Deadline, "of each call")
	flags.StringVar(&o.faults, "fault", "", "only these, separated by commas")
	flags.StringVar(&o.only, "only", "", "only these of "+strings.Join(names(), ", "))
	flags.StringVar(&o.into, "into", "", "write into this file, between the marks <!-- NAME --> and <!-- /NAME -->")
	flags.StringVar(&o.name, "name", "baselines", "of the marks")
	flags.BoolVar(&o.paste, "paste", false, "write what is read from standard input, and measure nothing")
	flags.BoolVar(&o.quiet, "quiet", false, "do not say how far it is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.paste {
		text, err := io.ReadAll(io.LimitReader(in, 4<<20))
		if err != nil {
			return err
		}
		return splice(o.into, o.name, string(text))
	}
	text, err := o.measure(ctx, talk)
	switch {
	case err != nil:
		return err
	case o.into != "":
		return splice(o.into, o.name, text)
	}
	_, err = io.WriteString(out, text)
	return err
}

func (o options) config(talk io.Writer) drill.Config {
	c := drill.Config{Callers: o.callers, Deadline: o.deadline, Unbounded: o.unbounded, SideBySide: o.side, Alone: loud()}
	if o.faults != "" {
		for f := range strings.SplitSeq(o.faults, ",") {
			c.Faults = append(c.Faults, chaos.Fault(strings.TrimSpace(f)))
		}
	}
	if !o.quiet {
		c.Watch = func(e drill.Event) {
			if e.Row != nil {
				fmt.Fprintf(talk, "  %-21s %s; late %d, hung %d, wrong %d, back %s\n", e.Fault, e.Row.Saw(), e.Row.Late, e.Row.Hung, e.Row.Wrong, e.Row.Back())
			}
		}
	}
	return c
}

// loud are the faults whose bytes a client without a limit takes in as fast as
// the machine can.
func loud() []chaos.Fault {
	return []chaos.Fault{chaos.Flood1xx, chaos.EndlessHead, chaos.EndlessBody, chaos.GzipBomb}
}

// measure drives each of the baselines through all faults, one after another.
func (o options) measure(ctx context.Context, talk io.Writer) (string, error) {
	var all []measured
	for _, b := range baselines() {
		if o.only != "" && !strings.Contains(","+o.only+",", ","+b.name+",") {
			continue
		}
		fmt.Fprintf(talk, "%s: %s\n", b.name, b.setup)
		began := time.Now()
		rows, err := drill.Run(ctx, o.config(talk), guard(b.open))
		if err != nil {
			return "", err
		}
		all = append(all, measured{b, rows, time.Since(began)})
	}
	if len(all) == 0 {
		return "", errors.New("-only names none of " + strings.Join(names(), ", "))
	}
	if o.markdown || o.into != "" {
		return markdown(o, all), nil
	}
	return plain(all), nil
}

func names() []string {
	var out []string
	for _, b := range baselines() {
		out = append(out, b.name)
	}
	return out
}

// setting says how the numbers came to be.
func setting(o options) string {
	patience := fmt.Sprintf("the context of each call has a deadline of %s", o.deadline)
	if o.unbounded {
		patience = fmt.Sprintf("no call's context has a deadline, and its caller wants an answer within %s", o.deadline)
	}
	return fmt.Sprintf("%d callers; %s; %s, %s/%s, %d cores.", o.callers, patience, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
}
