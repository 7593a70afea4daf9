// Command measure makes the measurements of docs/PERFORMANCE.md that need a
// running Weir: it builds Weir, starts it on a folder of its own in front of a
// provider of embeddings on loopback, puts a load on it and prints a Markdown
// table on standard output; how it goes is told on standard error.
//
//	go run ./tools/measure overload   ten times the load it can bear
//	go run ./tools/measure outage     the provider is gone for a while
//	go run ./tools/measure overhead   Weir between a client and an instant provider
//	go run ./tools/measure soak       random faults for minutes
//	go run ./tools/measure crowd      callers beside 5,000 connections that do next to nothing
//
// Each has --seconds, with a few of which it is a smoke test, and --help. The
// numbers are those of a machine on which the load, the provider and Weir share
// the cores: ratios within one run are what to read.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// measurement is a subcommand: it adds its flags, and returns what makes it.
type measurement func(flags *flag.FlagSet) func(context.Context, *site) error

func run(ctx context.Context, args []string, out, talk io.Writer) (err error) {
	const usage = "usage: measure overload|outage|overhead|soak|crowd [flags]"
	if len(args) == 0 {
		return errors.New(usage)
	}
	var m measurement
	switch args[0] {
	case "overload":
		m = overload
	case "outage":
		m = outage
	case "overhead":
		m = overhead
	case "soak":
		m = soak
	case "crowd":
		m = crowd
	default:
		return errors.New(usage)
	}
	s := &site{out: out, talk: talk}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(talk)
	flags.StringVar(&s.binary, "weir", "", "the program to measure (default: it is built)")
	flags.IntVar(&s.dim, "dim", 384, "values of a vector")
	do := m(flags)
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument, but was given %q", args[0], flags.Arg(0))
	}
	if s.dim < 1 || s.dim > 4096 {
		return fmt.Errorf("-dim must be from 1 to 4096, not %d", s.dim)
	}
	dir, err := os.MkdirTemp("", "weir-measure-")
	if err != nil {
		return err
	}
	s.dir = dir
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := s.build(ctx); err != nil {
		return err
	}
	fmt.Fprintln(talk, machine())
	return do(ctx, s)
}
