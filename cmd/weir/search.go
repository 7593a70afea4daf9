package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"weir/internal/rag"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

type searchFlags struct {
	user      string
	threshold float64
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
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", defaultUser, "whose documents are searched: a `NAME`")
	flags.IntVar(&f.maxChunks, "max-chunks", rag.DefaultMaxChunks, "most passages")
	flags.Float64Var(&f.threshold, "threshold", rag.DefaultSimilarityThreshold, "least similarity, above 0 and at most 1")
	flags.IntVar(&f.budget, "token-budget", rag.DefaultTokenBudget, "most tokens of all passages together")
	flags.StringVar(&f.mode, "mode", "", "hybrid, vector or lexical (default hybrid, or lexical without an embedder)")
	flags.IntVar(&f.neighbors, "neighbors", 0, "passages before and after each one found")
	flags.StringArrayVar(&f.documents, "document", nil, "only in the document of this `ID`; may be given again")
	flags.BoolVar(&f.json, "json", false, "print the answer as JSON")
	return cmd
}

func (a *app) search(cmd *cobra.Command, question string, f searchFlags) error {
	if strings.TrimSpace(question) == "" {
		return usagef("the question is empty")
	}
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	r := rag.Request{
		Query: question, SimilarityThreshold: &f.threshold, MaxChunks: &f.maxChunks, TokenBudget: &f.budget,
		Mode: rag.Mode(f.mode), Neighbors: f.neighbors, DocumentIDs: f.documents,
	}
	if c.given("WEIR_TIMEOUT") {
		r.TimeoutMS = int(c.Timeout.Milliseconds())
	}
	if _, err := os.Stat(c.Data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no data folder %s; index something first with \"weir ingest PATH\", or name another folder with --data", c.Data)
	}
	lib, err := a.openLibrary(cmd.Context(), cmd.Flags(), c, "search", false)
	if err != nil {
		return err
	}
	resp, err := lib.Retrieve(cmd.Context(), rag.User(f.user), r)
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

// flagNamed says a request's field as the flag it came from, and makes a
// usage error of it.
func flagNamed(err error) error {
	if rag.CodeOf(err) != rag.Invalid {
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
	for _, d := range resp.Degraded {
		fmt.Fprintln(a.stderr, degradedWords(d, resp.Mode))
	}
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

func degradedWords(d rag.Degraded, mode rag.Mode) string {
	what := d.Stage
	switch d.Stage {
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
		return fmt.Sprintf("No passage: %s has no documents. Add some with: weir ingest PATH", who(f.user))
	case rag.StillIndexing:
		return "No passage yet: the documents are still being indexed."
	case rag.BelowThreshold:
		return fmt.Sprintf("No passage is similar enough; the least similarity is %v (--threshold).", f.threshold)
	case rag.NoMatch:
		return "No passage has anything of this question in it."
	case rag.OverBudget:
		return fmt.Sprintf("Passages were found, but the best does not fit the budget of %d tokens (--token-budget).", f.budget)
	default:
		return "No passage: " + string(reason)
	}
}

func who(user string) string {
	if user == defaultUser {
		return "this data folder"
	}
	return fmt.Sprintf("the user %q", user)
}
