package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"weir/internal/rag"

	"github.com/spf13/cobra"
)

// answered is a question with what its answer looks like and where it stands.
type answered struct {
	ID       string `json:"id"`
	Question string `json:"question"`
	Pattern  string `json:"answer_pattern"`
	Pages    []int  `json:"pages"`
	File     string `json:"file"`

	History []rag.ChatMessage `json:"history"` // what was said before, oldest first

	pattern *regexp.Regexp
}

func readAnswers(file string) ([]answered, error) {
	var all []answered
	err := eachLine(file, func(n int, line []byte) error {
		var q answered
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("%s:%d: is no question: %w", file, n, err)
		}
		if q.Question == "" || q.Pattern == "" {
			return fmt.Errorf("%s:%d: needs question and answer_pattern", file, n)
		}
		var err error
		if q.pattern, err = regexp.Compile(q.Pattern); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		all = append(all, q)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s is empty", file)
	}
	return all, err
}

// answers reports whether p holds the answer. White space is as the document
// breaks its lines, or single spaces.
func (q answered) answers(p rag.Passage) bool {
	switch {
	case q.File != "" && p.Filename != q.File && path.Base(p.Filename) != q.File:
		return false
	case len(q.Pages) > 0 && (p.PageStart == nil || p.PageEnd == nil):
		return false
	case len(q.Pages) > 0 && !slices.ContainsFunc(q.Pages, func(n int) bool { return *p.PageStart <= n && n <= *p.PageEnd }):
		return false
	}
	return q.pattern.MatchString(p.Content) || q.pattern.MatchString(strings.Join(strings.Fields(p.Content), " "))
}

// answerScore is the outcome of eval --answers.
type answerScore struct {
	Questions int      `json:"questions"`
	Hits      int      `json:"hits"` // in the first five passages
	First     int      `json:"first"`
	Misses    []string `json:"misses"`
	Mode      string   `json:"mode"`

	Similarity *similarityReport `json:"similarity,omitempty"`
}

func (a *app) evalAnswers(cmd *cobra.Command, paths []string, f evalFlags) (err error) {
	ctx := cmd.Context()
	c, err := a.evalConfig(cmd.Flags(), f)
	if err != nil {
		return err
	}
	questions, err := readAnswers(f.answers)
	if err != nil {
		return err
	}
	docs, left, err := collect(ctx, paths, "", c.Data)
	if err != nil {
		return err
	}
	a.tellSkipped(left)
	if err := sameNames(docs); err != nil {
		return err
	}
	b, err := a.openBench(ctx, c, cmd.Flags())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.drop()) }()
	talk := *a
	talk.stdout = a.stderr
	t := talk.feed(ctx, b.engine, c.MaxFileBytes, ingestFlags{user: string(evalUser)}, docs)
	if err := talk.tellTally(ctx, t, ""); err != nil {
		return err
	}
	s := answerScore{Questions: len(questions), Misses: []string{}}
	var sims similarities
	for _, q := range questions {
		if f.alone {
			q.History = nil
		}
		if err := q.weigh(ctx, b, rag.Mode(f.mode), &sims); err != nil {
			return flagNamed(err)
		}
		got, err := q.ask(ctx, b, rag.Request{Mode: rag.Mode(f.mode)})
		if err != nil {
			return flagNamed(err)
		}
		s.Mode = string(got.Mode)
		switch i := slices.IndexFunc(got.Passages, q.answers); i {
		case 0:
			s.First++
			s.Hits++
		case -1:
			s.Misses = append(s.Misses, strings.TrimSpace(q.ID+" "+q.Question))
		default:
			s.Hits++
		}
	}
	s.Similarity = sims.report()
	if f.json {
		return printJSON(a.stdout, s)
	}
	for _, m := range s.Misses {
		fmt.Fprintln(a.stdout, "miss  "+m)
	}
	fmt.Fprintf(a.stdout, "%d of %d questions answered among the first 5 passages, %d by the first (%s)\n", s.Hits, s.Questions, s.First, s.Mode)
	s.Similarity.print(a.stdout)
	return nil
}

// ask puts the question as a conversation does. There is no chat model, so the
// passages are the answer.
func (q answered) ask(ctx context.Context, b *bench, r rag.Request) (*rag.Answer, error) {
	r.Query = q.Question
	return b.Ask(ctx, evalUser, rag.AskRequest{Request: r, History: q.History}, nil)
}

// weigh adds the similarities of the passages that answer q, and of others.
func (q answered) weigh(ctx context.Context, b *bench, mode rag.Mode, to *similarities) error {
	deep, all, low := 100, rag.MaxTokenBudget, math.SmallestNonzeroFloat64
	got, err := q.ask(ctx, b, rag.Request{MaxChunks: &deep, TokenBudget: &all, SimilarityThreshold: &low, Mode: mode})
	if err != nil {
		return err
	}
	to.add(got.Passages, func(p rag.Passage) string {
		if q.answers(p) {
			return p.ID
		}
		return ""
	})
	return nil
}
