package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"weir/internal/rag"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type evalFlags struct {
	split   string
	answers string
	alone   bool
	mode    string
	json    bool
}

func (a *app) evalCommand() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval FOLDER | eval --answers FILE PATH...",
		Short: "Measure how well the right passages are found",
		Long: `Measures how well the right passages are found, through the whole of the pipeline,
in a temporary data folder, or in the one that --data names.

eval FOLDER takes a collection in the layout of BEIR: corpus.jsonl, queries.jsonl and
qrels/test.tsv. A document ranks by its best passage. It prints nDCG@10 (gain 2^rel-1,
and linear), recall@100, MRR@10, the time of a question, and how similar right and
wrong passages are: the first passage of each relevant document, and the first ten
that are of none. From these a threshold for a model can be chosen.

eval --answers FILE PATH... indexes documents and asks the questions of FILE, lines of
  {"question": "...", "answer_pattern": "regular expression", "pages": [3, 4], "file": "name.pdf"}
A question is a hit when one of the first five passages matches the pattern, on one of
the pages and in the file, where those are given. A line may hold "history": what was
said before the question, messages {"role": "user", "content": "..."} and of assistant.`,
		Example: `  weir eval ./scifact --embedder none
  weir eval --answers questions.jsonl handbook.pdf`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("answers") {
				return atLeastOne("the documents that the questions are about")(cmd, args)
			}
			if len(args) > 1 {
				return usagef("eval takes one folder, but was also given %q", args[1])
			}
			return exactly(1, "a folder with corpus.jsonl, queries.jsonl and qrels/")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.answers != "" {
				return a.evalAnswers(cmd, args, f)
			}
			return a.evalBEIR(cmd, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.split, "split", "test", "judgements to use: qrels/`NAME`.tsv")
	flags.StringVar(&f.answers, "answers", "", "`FILE` of questions with answer patterns")
	flags.BoolVar(&f.alone, "no-history", false, "with --answers: ask every question as if nothing had been said before")
	addModeFlag(flags, &f.mode)
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// evalConfig reads the settings and refuses what cannot be asked with them,
// before anything is indexed.
func (a *app) evalConfig(flags *pflag.FlagSet, f evalFlags) (config, error) {
	if err := checkMode(f.mode); err != nil {
		return config{}, err
	}
	c, err := a.loadConfig(flags)
	if err != nil {
		return config{}, err
	}
	if err := c.checkVector(f.mode); err != nil {
		return config{}, err
	}
	if flags.Changed("data") {
		return c, c.checkData()
	}
	return c, nil
}

// evalUser owns what is evaluated.
const evalUser = rag.User("eval")

// bench is an engine on a folder of its own.
type bench struct {
	*engine
	drop func() error
}

// openBench opens the engine of an evaluation.
func (a *app) openBench(ctx context.Context, c config, flags *pflag.FlagSet) (*bench, error) {
	c.Store = "sqlite" // wherever the documents of others are
	c.ChatModel = ""   // what is found is measured, not what is made of it
	index, drop := c.Data, func() error { return nil }
	if !flags.Changed("data") { // not even the one of WEIR_DATA, which is for work
		dir, err := os.MkdirTemp("", "weir-eval-")
		if err != nil {
			return nil, err
		}
		index, drop = dir, func() error { return os.RemoveAll(dir) }
	}
	h, err := takeHold(index, "eval")
	if err != nil {
		return nil, errors.Join(err, drop())
	}
	e, err := openEngine(ctx, c, index, a.cacheDir(c), nil, a.logger(c.quieter()))
	if err != nil {
		return nil, errors.Join(err, h.release(), drop())
	}
	e.begin(ctx)
	return &bench{e, func() error { return errors.Join(e.close(ctx), h.release(), drop()) }}, nil
}

// scores are the measures of one evaluation over a collection.
type scores struct {
	Documents     int     `json:"documents"`
	Empty         int     `json:"empty_documents"` // had no text, and cannot be found
	Queries       int     `json:"queries"`         // with at least one relevant document
	Mode          string  `json:"mode"`
	NDCG10        float64 `json:"ndcg_at_10"`        // gain 2^rel-1
	NDCG10Linear  float64 `json:"ndcg_at_10_linear"` // gain rel
	Recall100     float64 `json:"recall_at_100"`
	MRR10         float64 `json:"mrr_at_10"`
	IndexSeconds  float64 `json:"index_seconds"`
	LatencyP50    float64 `json:"latency_p50_ms"` // of a question with the default limits
	LatencyP95    float64 `json:"latency_p95_ms"`
	LatencyMax    float64 `json:"latency_max_ms"`
	DegradedCalls int     `json:"degraded_calls"` // answered without the embedder

	Similarity *similarityReport `json:"similarity,omitempty"`
}

func (a *app) evalBEIR(cmd *cobra.Command, folder string, f evalFlags) (err error) {
	ctx := cmd.Context()
	c, err := a.evalConfig(cmd.Flags(), f)
	if err != nil {
		return err
	}
	col, err := readCollection(folder, f.split)
	if err != nil {
		return err
	}
	b, err := a.openBench(ctx, c, cmd.Flags())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.drop()) }()
	began := time.Now()
	ids, empty, err := a.indexCollection(ctx, b, c, col)
	if err != nil {
		return err
	}
	s := scores{Documents: len(col.docs), Empty: empty, IndexSeconds: time.Since(began).Seconds()}
	if err := s.ask(ctx, b, col, ids, rag.Mode(f.mode)); err != nil {
		return flagNamed(err)
	}
	if f.json {
		return printJSON(a.stdout, s)
	}
	fmt.Fprintf(a.stdout, `documents        %d (%d with text)
queries          %d
mode             %s
nDCG@10          %.4f (gain 2^rel-1)
nDCG@10 linear   %.4f (gain rel)
recall@100       %.4f
MRR@10           %.4f
indexing         %.1f s
latency          p50 %.1f ms, p95 %.1f ms, max %.1f ms
`, s.Documents, s.Documents-s.Empty, s.Queries, s.Mode, s.NDCG10, s.NDCG10Linear, s.Recall100, s.MRR10,
		s.IndexSeconds, s.LatencyP50, s.LatencyP95, s.LatencyMax)
	s.Similarity.print(a.stdout)
	if s.DegradedCalls > 0 {
		fmt.Fprintf(a.stderr, "%d questions were answered by words alone, because the embedder did not answer\n", s.DegradedCalls)
	}
	return nil
}

// indexCollection brings the collection in and tells which of its documents
// each stored one stands for: those of the same text share one.
func (a *app) indexCollection(ctx context.Context, b *bench, c config, col *collection) (ids map[string][]string, empty int, err error) {
	var docs []candidate
	byText := map[string]int{} // index in docs
	same := [][]string{}
	texts := map[string]string{}
	for _, d := range col.docs {
		text := d.markdown()
		if text == "" {
			empty++
			continue
		}
		i, ok := byText[text]
		if !ok {
			i = len(docs)
			byText[text] = i
			name := fmt.Sprintf("%d.md", i)
			docs = append(docs, candidate{Path: d.ID, Name: name, size: int64(len(text))})
			same = append(same, nil)
			texts[name] = text
		}
		same[i] = append(same[i], d.ID)
	}
	s := a.progressOnly(docs, len(col.docs)-empty, func(i int) int { return len(same[i]) })
	ids = make(map[string][]string, len(docs))
	var (
		mu     sync.Mutex
		failed []outcome
	)
	fd := &feed{
		lib: b.engine, user: evalUser, keep: true, limit: c.MaxFileBytes,
		content: func(d candidate) ([]byte, error) { return []byte(texts[d.Name]), nil },
		begun:   s.begun, moved: s.moved,
		done: func(i int, o outcome) {
			s.done(i, o)
			mu.Lock()
			defer mu.Unlock()
			if o.Document != nil && o.Document.Status == rag.Ready {
				ids[o.Document.ID] = same[i]
			} else {
				failed = append(failed, o)
			}
		},
	}
	fd.run(ctx, docs)
	s.end()
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case len(failed) > 0:
		return nil, 0, fmt.Errorf("%s of the collection could not be indexed; the first is %s", plural(len(failed), "document"), failed[0])
	}
	counts, err := b.store.Counts(ctx, evalUser, nil)
	if err != nil {
		return nil, 0, err
	}
	if others := counts[rag.Ready] - len(ids); others > 0 {
		return nil, 0, rag.Errorf(rag.Conflict, "the data folder holds %s of another evaluation, which would be found too; take another folder", plural(others, "document"))
	}
	return ids, empty, nil
}

// ask puts every query and fills in the scores.
func (s *scores) ask(ctx context.Context, b *bench, col *collection, ids map[string][]string, mode rag.Mode) error {
	deep, all, low := rag.MaxChunks, rag.MaxTokenBudget, math.SmallestNonzeroFloat64
	var (
		times []float64
		sims  similarities
	)
	for _, q := range col.queries {
		judged := col.judgements[q.ID]
		if !anyRelevant(judged) {
			continue
		}
		resp, err := b.Retrieve(ctx, evalUser, rag.Request{
			Query: q.Text, MaxChunks: &deep, TokenBudget: &all, SimilarityThreshold: &low, Mode: mode,
		})
		if err != nil {
			return fmt.Errorf("query %s: %w", q.ID, err)
		}
		ranking := rankDocuments(resp.Chunks, ids)
		sims.add(resp.Chunks, func(p rag.Passage) string {
			if slices.ContainsFunc(ids[p.DocID], func(id string) bool { return judged[id] > 0 }) {
				return p.DocID
			}
			return ""
		})
		s.Queries++
		s.NDCG10 += ndcg(ranking, judged, 10, func(rel int) float64 { return math.Exp2(float64(rel)) - 1 })
		s.NDCG10Linear += ndcg(ranking, judged, 10, func(rel int) float64 { return float64(rel) })
		s.Recall100 += recall(ranking, judged, 100)
		s.MRR10 += reciprocalRank(ranking, judged, 10)
		s.Mode = string(resp.Mode)
		if slices.ContainsFunc(resp.Degraded, func(d rag.Degraded) bool { return d.Stage == "embed" }) {
			s.DegradedCalls++
		}
		// What a caller waits for is a question with the default limits.
		began := time.Now()
		if _, err := b.Retrieve(ctx, evalUser, rag.Request{Query: q.Text, Mode: mode}); err != nil {
			return fmt.Errorf("query %s: %w", q.ID, err)
		}
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	n := float64(s.Queries)
	s.NDCG10, s.NDCG10Linear, s.Recall100, s.MRR10 = s.NDCG10/n, s.NDCG10Linear/n, s.Recall100/n, s.MRR10/n
	s.Similarity = sims.report()
	slices.Sort(times)
	s.LatencyP50, s.LatencyP95, s.LatencyMax = quantile(times, 0.5), quantile(times, 0.95), times[len(times)-1]
	return nil
}

// rankDocuments is the order of documents by their first passage.
func rankDocuments(passages []rag.Passage, ids map[string][]string) []string {
	var ranking []string
	seen := map[string]bool{}
	for _, p := range passages {
		if !seen[p.DocID] {
			seen[p.DocID] = true
			ranking = append(ranking, ids[p.DocID]...)
		}
	}
	return ranking
}

// progressOnly is a show without a line for each document. total is the sum of
// the weights.
func (a *app) progressOnly(docs []candidate, total int, weight func(i int) int) show {
	if width := a.terminalWidth(a.stderr); width > 0 {
		return newBarShow(a.stderr, io.Discard, width, docs)
	}
	return &tenthShow{out: a.stderr, total: total, weight: weight}
}
