package rag

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// A question in a conversation often leaves out what it is about: "And for my
// children?" What was asked before it has that, and is searched for too, at
// half weight: without another call of a model before the first word, and
// without a list of words by which a follow-up is told from a new question,
// which would be one for each language. The words of the question itself count
// three times as much as those that are in the earlier ones alone, so that a new
// question is not lost among them.
// docs/QUALITY.md has the measurement, and what else was tried.
const (
	earlierQuestions = 2       // at most, the latest
	earlierBytes     = 1 << 10 // of them together: some models read no more than the first 256 tokens of a text
	earlierWeight    = 0.5     // of the question with those before it, beside the question alone
	standsAlone      = 4 << 10 // bytes: a question this long says itself what it is about
)

// earlier is what the user asked before, oldest first, as far as it is searched
// for. One that is too long is left out with all before it.
func (r AskRequest) earlier() []string {
	question := strings.TrimSpace(r.Query)
	if len(question) > standsAlone {
		return nil
	}
	var asked []string
	room := earlierBytes
	for i := len(r.History) - 1; i >= 0 && len(asked) < earlierQuestions; i-- {
		text := strings.TrimSpace(r.History[i].Content)
		if r.History[i].Role != "user" || text == "" || text == question || slices.Contains(asked, text) {
			continue
		}
		if room -= len(text); room < 0 {
			break
		}
		asked = append(asked, text)
	}
	slices.Reverse(asked)
	return asked
}

// texts is what is searched for: the question, and the question with those
// before it where there are any.
func (q *question) texts() []string {
	if len(q.earlier) == 0 {
		return []string{q.text}
	}
	return []string{q.text, strings.Join(q.earlier, "\n") + "\n" + q.text}
}

// blend is the vector of texts from the vectors of each, of unit length.
func blend(vectors [][]float32) []float32 {
	if len(vectors) == 1 {
		return vectors[0]
	}
	sum := slices.Clone(vectors[0])
	var square float64
	for i, x := range vectors[1] {
		sum[i] += earlierWeight * x
		square += float64(sum[i]) * float64(sum[i])
	}
	length := float32(math.Sqrt(square)) // at least 1-earlierWeight
	for i := range sum {
		sum[i] /= length
	}
	return sum
}

// candidates searches for each of the texts. The vector is one for all of them.
func (t *retrieval) candidates(ctx context.Context, q Query) (Candidates, error) {
	found, err := t.s.store.Candidates(ctx, t.user, q)
	if texts := t.q.texts(); err == nil && len(texts) > 1 && q.Text != "" {
		q.Text = texts[1]
		var also Candidates
		if also, err = t.s.store.Candidates(ctx, t.user, q); err == nil {
			found = found.with(also, q.Limit)
		}
	}
	return found, err
}

// with joins what the words of the question found with what they found beside
// those before it. BM25 is a sum over words, so this is one search in which the
// words have different weights.
func (c Candidates) with(also Candidates, limit int) Candidates {
	at := make(map[Ref]int, len(c.Lexical)+len(also.Lexical))
	joined := make([]Candidate, 0, len(c.Lexical)+len(also.Lexical))
	for _, part := range []struct {
		hits   []Candidate
		weight float64
	}{{c.Lexical, 1}, {also.Lexical, earlierWeight}} {
		for _, hit := range part.hits {
			i, seen := at[hit.Ref]
			if !seen {
				i = len(joined)
				at[hit.Ref] = i
				joined = append(joined, Candidate{Ref: hit.Ref})
			}
			j := &joined[i]
			j.Lexical += hit.Lexical * part.weight / (1 + earlierWeight)
			if hit.HasCosine {
				j.Cosine, j.HasCosine = hit.Cosine, true
			}
		}
	}
	slices.SortStableFunc(joined, func(a, b Candidate) int { return cmp.Compare(b.Lexical, a.Lexical) })
	c.Lexical = joined[:min(len(joined), limit)]
	c.Note = cmp.Or(c.Note, also.Note)
	return c
}
