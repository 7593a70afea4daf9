package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/internal/rag"

	"github.com/spf13/cobra"
)

type ingestFlags struct {
	user string
	name string
	keep bool
	json bool
}

func (a *app) ingestCommand() *cobra.Command {
	var f ingestFlags
	cmd := &cobra.Command{
		Use:   "ingest PATH...",
		Short: "Read documents and make them searchable",
		Long: `Reads files, folders (with the folders in them) and standard input (-), and returns
when they are searchable. Files in a folder are stored under their path below it.
A document of the same name is replaced; one of the same content is not done twice.
If a server runs on the data folder, the documents go to it.`,
		Example: `  weir ingest handbook.pdf contracts/
  curl -s https://example.org/terms.html | weir ingest - --name terms.html`,
		Args: atLeastOne("a file or folder, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.ingest(cmd, args, f) },
	}
	addUserFlag(cmd.Flags(), &f.user, "user who gets the documents")
	cmd.Flags().StringVar(&f.name, "name", "", "`FILENAME` for what comes from standard input")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep documents of the same name, instead of replacing them")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a line of JSON for each document")
	return cmd
}

const defaultUser = "default"

func (a *app) ingest(cmd *cobra.Command, paths []string, f ingestFlags) error {
	ctx := cmd.Context()
	fromStdin := 0
	for _, p := range paths {
		if p == "-" {
			fromStdin++
		}
	}
	switch {
	case fromStdin > 1:
		return usagef("- (standard input) is given twice")
	case fromStdin == 1 && f.name == "":
		return usagef("- (standard input) needs --name, the filename it is stored under")
	case fromStdin == 0 && f.name != "":
		return usagef("--name is for standard input (-); files keep their own names")
	}
	if err := checkUser(f.user); err != nil {
		return err
	}
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := c.checkData(); err != nil {
		return err
	}
	docs, left, err := collect(ctx, paths, f.name, c.Data)
	if err != nil {
		return err
	}
	a.tellSkipped(left)
	if len(docs) == 0 {
		return fmt.Errorf("there is no document in %s that can be read", strings.Join(paths, ", "))
	}
	if !f.keep {
		if err := sameNames(docs); err != nil {
			return err
		}
	}
	lib, err := a.openLibrary(ctx, cmd.Flags(), c, "ingest", true)
	if err != nil {
		return err
	}
	t := a.feed(ctx, lib, lib.limit, f, docs)
	if err := lib.close(); err != nil {
		return err
	}
	return a.tellTally(ctx, t, lib.server)
}

// feed brings docs into lib, showing how it goes.
func (a *app) feed(ctx context.Context, lib library, limit int64, f ingestFlags, docs []candidate) *tally {
	s := a.newShow(docs, f.json)
	t := newTally()
	fd := &feed{
		lib: lib, user: rag.User(f.user), keep: f.keep, limit: limit, stdin: a.stdin,
		begun: s.begun, moved: s.moved,
		done: func(i int, o outcome) { t.add(o); s.done(i, o) },
	}
	fd.run(ctx, docs)
	s.end()
	return t
}

func (a *app) tellSkipped(left []skipped) {
	for _, s := range left {
		fmt.Fprintf(a.stderr, "skipped %s: %s\n", printable(s.Path), s.Why)
	}
}

// tellTally prints the last line, and says whether all went well.
func (a *app) tellTally(ctx context.Context, t *tally, server string) error {
	fmt.Fprintf(a.stderr, "%s in %s\n", t, took(time.Since(t.began).Milliseconds()))
	if ctx.Err() != nil && t.counts[resultQueued] > 0 {
		if server != "" {
			fmt.Fprintf(a.stderr, "stopped waiting; the server at %s goes on with what is queued\n", server)
		} else {
			fmt.Fprintln(a.stderr, `stopped; what is queued goes on with the next "weir serve" or "weir ingest" on this data folder`)
		}
	}
	if t.whole() {
		return nil
	}
	return errReported
}
