package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"weir/internal/rag"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type searchFlags struct {
	user      string
	threshold float64
	least     *float64 // threshold, when it was given
	maxChunks int
	budget    int
	mode      string
	neighbors int
	documents []string
	json      bool
}

func (a *app) searchCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "search QUESTION",
		Short: "Print the passages that answer a question",
		Long: `Prints the passages of the user's documents that answer the question best, with
file, page and section. If a server runs on the data folder, it is asked.
--timeout is the deadline of the whole.`,
		Example: `  weir search "How long is the warranty?"
  weir search --max-chunks 10 --mode lexical "notice period"`,
		Args: exactly(1, "a question"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.search(cmd, args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

// add adds the flags of a retrieval.
func (f *searchFlags) add(flags *pflag.FlagSet) {
	addUserFlag(flags, &f.user, "user whose documents are searched")
	flags.IntVar(&f.maxChunks, "max-chunks", rag.DefaultMaxChunks, "most passages")
	flags.Float64Var(&f.threshold, "threshold", 0, "least similarity, above 0 and at most 1 (default that of the model)")
	flags.IntVar(&f.budget, "token-budget", rag.DefaultTokenBudget, "most tokens of all passages together")
	addModeFlag(flags, &f.mode)
	flags.IntVar(&f.neighbors, "neighbors", 0, "passages before and after each one found")
	flags.StringArrayVar(&f.documents, "document", nil, "only in the document of this `ID`; may be given again")
	for _, flag := range []string{"max-chunks", "token-budget", "neighbors"} {
		named(flags, flag, wholeNumber)
	}
	named(flags, "threshold", number)
	flags.BoolVar(&f.json, "json", false, "print the answer as JSON")
}

// prepare checks a question and makes the request of it, before anything is
// opened for it.
func (a *app) prepare(cmd *cobra.Command, question string, f *searchFlags) (c config, r rag.Request, err error) {
	if strings.TrimSpace(question) == "" {
		return c, r, usagef("the question is empty")
	}
	if cmd.Flags().Changed("threshold") {
		f.least = &f.threshold
	}
	if err := f.check(); err != nil {
		return c, r, err
	}
	if c, err = a.loadConfig(cmd.Flags()); err != nil {
		return c, r, err
	}
	if err := c.checkData(); err != nil {
		return c, r, err
	}
	if _, err := os.Stat(c.Data); c.Store == "sqlite" && errors.Is(err, fs.ErrNotExist) {
		if err := c.checkVector(f.mode); err != nil {
			return c, r, err
		}
		return c, r, rag.Errorf(rag.NotFound, "there is no data folder %s; index something first with \"weir ingest PATH\", or name another folder with --data", c.Data)
	}
	return c, rag.Request{
		Query: question, SimilarityThreshold: f.least, MaxChunks: &f.maxChunks, TokenBudget: &f.budget,
		Mode: rag.Mode(f.mode), Neighbors: f.neighbors, DocumentIDs: f.documents,
	}, nil
}

func (a *app) search(cmd *cobra.Command, question string, f searchFlags) error {
	c, r, err := a.prepare(cmd, question, &f)
	if err != nil {
		return err
	}
	if c.given("WEIR_TIMEOUT") {
		r.TimeoutMS = int(c.Timeout.Milliseconds())
	}
	lib, err := a.openLibrary(cmd.Context(), cmd.Flags(), c, "search", false)
	if err != nil {
		return err
	}
	resp, err := lib.answer(cmd.Context(), c, r, f)
	if closeErr := lib.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return flagNamed(err)
	}
	if f.json {
		return printJSON(a.stdout, resp)
	}
	a.printAnswer(resp, f)
	return nil
}

// answer asks. That there is nothing in documents which are not there is no
// answer, but an error that names one.
func (o *opened) answer(ctx context.Context, c config, r rag.Request, f searchFlags) (*rag.Response, error) {
	if o.server == "" { // else the server's settings are in force
		if err := c.checkVector(f.mode); err != nil {
			return nil, err
		}
	}
	resp, err := o.Retrieve(ctx, rag.User(f.user), r)
	if err == nil {
		err = o.checkNamed(ctx, resp.EmptyReason, f)
	}
	return resp, err
}

// checkNamed looks for the documents that were named, where there was nothing
// to search.
func (o *opened) checkNamed(ctx context.Context, empty *rag.EmptyReason, f searchFlags) error {
	if empty == nil || *empty != rag.NoDocuments {
		return nil
	}
	for _, id := range f.documents {
		_, err := o.Document(ctx, rag.User(f.user), id)
		switch {
		case rag.CodeOf(err) == rag.NotFound:
			return rag.Errorf(rag.NotFound, "there is no document %q of the user %q", id, f.user)
		case err != nil:
			return err
		}
	}
	return nil
}

// flagNamed says a request's field as the flag it came from, and makes a
// usage error of it. What is invalid to the embedding provider has no field,
// and is no wrong use.
func flagNamed(err error) error {
	var e *rag.Error
	if !errors.As(err, &e) || e.Code != rag.Invalid || e.Field == "" {
		return err
	}
	msg := explain(err)
	for field, flag := range map[string]string{
		"similarity_threshold": "--threshold", "max_chunks": "--max-chunks", "token_budget": "--token-budget",
		"mode": "--mode", "neighbors": "--neighbors", "document_ids": "--document", "timeout_ms": "--timeout",
		"user": "--user", "query": "the question",
	} {
		if rest, ok := strings.CutPrefix(msg, field+": "); ok {
			return usageError(flag + " " + rest)
		}
	}
	return usageError(msg)
}

// minWidth and maxWidth bound the lines that passages are wrapped to.
const (
	minWidth = 40
	maxWidth = 100
)

func (a *app) printAnswer(resp *rag.Response, f searchFlags) {
	a.tellDegraded(resp.Degraded, resp.Mode)
	if resp.EmptyReason != nil {
		fmt.Fprintln(a.stdout, emptyWords(*resp.EmptyReason, f))
		return
	}
	width := a.terminalWidth(a.stdout)
	if width == 0 {
		width = maxWidth
	}
	width = min(max(width, minWidth), maxWidth)
	rank := 0
	for i, p := range resp.Chunks {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if p.Primary {
			rank++
		}
		fmt.Fprintln(a.stdout, heading(rank, p))
		if p.SectionTitle != nil && *p.SectionTitle != "" {
			fmt.Fprintln(a.stdout, "   "+printable(*p.SectionTitle))
		}
		for _, line := range wrapped(p.Content, width-3) {
			fmt.Fprintln(a.stdout, strings.TrimRight("   "+line, " "))
		}
	}
	if resp.Truncated {
		fmt.Fprintf(a.stderr, "\nmore passages were found than the budget of %d tokens holds (--token-budget)\n", f.budget)
	}
}

// heading is the line above a passage: rank, place and why it is there.
func heading(rank int, p rag.Passage) string {
	parts := []string{printable(p.Filename)}
	switch {
	case p.PageStart == nil:
	case p.PageEnd == nil || *p.PageEnd == *p.PageStart:
		parts = append(parts, fmt.Sprintf("page %d", *p.PageStart))
	default:
		parts = append(parts, fmt.Sprintf("pages %d-%d", *p.PageStart, *p.PageEnd))
	}
	if p.Similarity != nil {
		parts = append(parts, fmt.Sprintf("similarity %.2f", *p.Similarity))
	}
	if !p.Primary {
		return "   " + strings.Join(append(parts, "beside a passage found"), " · ")
	}
	parts = append(parts, fmt.Sprintf("score %.3g", p.Score))
	return fmt.Sprintf("%d. %s", rank, strings.Join(parts, " · "))
}

// wrapped cuts text into lines of at most width columns, keeping the breaks it
// has. Nothing in it can move the cursor.
func wrapped(content string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(content), "\n") {
		line = printable(strings.ReplaceAll(strings.TrimRight(line, " \r"), "\t", "  "))
		for part := range strings.SplitSeq(text.WrapSoft(line, width), "\n") {
			lines = append(lines, strings.TrimRight(part, " "))
		}
	}
	return lines
}

func (a *app) tellDegraded(all []rag.Degraded, mode rag.Mode) {
	for _, d := range all {
		fmt.Fprintln(a.stderr, degradedWords(d, mode))
	}
}

func degradedWords(d rag.Degraded, mode rag.Mode) string {
	what := d.Stage
	switch d.Stage {
	case "answer":
		return fmt.Sprintf("not the whole answer (%s): %s", d.Reason, orText(d.Message, "the chat model failed"))
	case "embed":
		what = "the embedder did not do its part (" + d.Reason + ")"
	case "search":
		what = "a part of the search was left out (" + d.Reason + ")"
	}
	if d.Message != "" {
		what += ": " + d.Message
	}
	return fmt.Sprintf("not the whole answer, %s only: %s", mode, what)
}

func emptyWords(reason rag.EmptyReason, f searchFlags) string {
	switch reason {
	case rag.NoDocuments:
		if len(f.documents) > 0 { // which are there, or it would not come to this
			return fmt.Sprintf("No passage: of the documents named with --document none of the user %q is searchable.", f.user)
		}
		return fmt.Sprintf("No passage: the user %q has no documents. Add some with: %s", f.user, ingestHint(f.user))
	case rag.StillIndexing:
		return "No passage yet: the documents are still being indexed."
	case rag.BelowThreshold:
		if f.least == nil {
			return "No passage is similar enough; --threshold sets the least similarity."
		}
		return fmt.Sprintf("No passage is similar enough; the least similarity is %v (--threshold).", *f.least)
	case rag.NoMatch:
		return "No passage has anything of this question in it."
	case rag.OverBudget:
		return fmt.Sprintf("Passages were found, but the best does not fit the budget of %d tokens (--token-budget).", f.budget)
	default:
		return "No passage: " + string(reason)
	}
}

// ingestHint is the command that adds documents of the user.
func ingestHint(user string) string {
	if user == defaultUser {
		return "weir ingest PATH"
	}
	return "weir ingest PATH --user " + quote(user)
}
