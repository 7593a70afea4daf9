package main

import (
	"context"
	"fmt"
	"strings"

	"weir/internal/rag"

	"github.com/spf13/cobra"
)

func (a *app) askCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "ask QUESTION",
		Short: "Answer a question in words, with citations",
		Long: `Has the chat model of WEIR_CHAT_MODEL answer a question from the passages of the
user's documents, and prints the answer as it is written, with the number of a
source after each claim and the sources below. Without a chat model, or when it
fails, the passages are printed. If a server runs on the data folder, it is asked.
--timeout is the deadline of the whole.`,
		Example: `  weir ask "How long is the warranty?"
  weir ask --json --document 0198c2 "Who may cancel, and until when?"`,
		Args: exactly(1, "a question"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.ask(cmd, args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (a *app) ask(cmd *cobra.Command, question string, f searchFlags) error {
	c, r, err := a.prepare(cmd, question, &f)
	if err != nil {
		return err
	}
	// Not what WEIR_TIMEOUT says besides: that is of calls, and writing takes
	// longer (WEIR_CHAT_TIMEOUT).
	if cmd.Flags().Changed("timeout") {
		r.TimeoutMS = int(c.Timeout.Milliseconds())
	}
	lib, err := a.openLibrary(cmd.Context(), cmd.Flags(), c, "ask", false)
	if err != nil {
		return err
	}
	told := &telling{a: a}
	answer, err := lib.words(cmd.Context(), c, rag.AskRequest{Request: r}, f, told)
	told.end()
	if closeErr := lib.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return flagNamed(err)
	}
	if f.json {
		return printJSON(a.stdout, answer)
	}
	a.printAnswered(answer, told.notice, f)
	return nil
}

// words asks for an answer in words.
func (o *opened) words(ctx context.Context, c config, r rag.AskRequest, f searchFlags, told *telling) (*rag.Answer, error) {
	if o.server == "" { // else the server's settings are in force
		if err := c.checkVector(f.mode); err != nil {
			return nil, err
		}
	}
	emit := told.emit
	if f.json {
		emit = nil
	}
	answer, err := o.Ask(ctx, rag.User(f.user), r, emit)
	if err != nil {
		return nil, err
	}
	return answer, o.checkNamed(ctx, answer.EmptyReason, f)
}

// telling prints an answer as it comes.
type telling struct {
	a      *app
	open   bool   // a line is not ended
	notice string // instead of an answer; told at the end
}

func (t *telling) emit(e rag.AskEvent) error {
	if e.Notice {
		t.notice = e.Text
	}
	if e.Notice || e.Text == "" {
		return nil
	}
	t.open = true
	lines := strings.Split(e.Text, "\n")
	for i := range lines {
		lines[i] = printable(strings.ReplaceAll(lines[i], "\t", "  "))
	}
	_, err := fmt.Fprint(t.a.stdout, strings.Join(lines, "\n"))
	return err
}

func (t *telling) end() {
	if t.open {
		fmt.Fprintln(t.a.stdout)
	}
}

// printAnswered prints what comes after the text of an answer, or instead of
// it: passages as search prints them, or that they do not answer the question.
func (a *app) printAnswered(answer *rag.Answer, notice string, f searchFlags) {
	switch {
	case notice != "" && answer.Model == "":
		a.printAnswer(&rag.Response{
			Chunks: answer.Passages, Mode: answer.Mode, Tokens: answer.Tokens, Truncated: answer.Truncated,
			Degraded: answer.Degraded, EmptyReason: answer.EmptyReason,
		}, f)
		return
	case notice != "":
		fmt.Fprintln(a.stdout, printable(notice))
	}
	if len(answer.Citations) > 0 {
		fmt.Fprintln(a.stdout, "\nSources:")
		for _, c := range answer.Citations {
			fmt.Fprintf(a.stdout, "[%d] %s\n", c.Number, printable(c.Place()))
		}
	}
	a.tellDegraded(answer.Degraded, answer.Mode)
}

// orText is s, or instead of nothing something.
func orText(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
