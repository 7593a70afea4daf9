package mcpapi

import (
	"context"
	"fmt"
	"strings"

	"weir/internal/rag"

	"github.com/google/jsonschema-go/jsonschema"
)

// retrieveInput is a rag.Request without what only programs have: a vector.
type retrieveInput struct {
	Query               string   `json:"query" jsonschema:"the question, in full and in the user's own words"`
	MaxChunks           *int     `json:"max_chunks,omitempty" jsonschema:"most passages; 5 if left out"`
	SimilarityThreshold *float64 `json:"similarity_threshold,omitempty" jsonschema:"least cosine similarity, above 0 and at most 1; the model's own if left out"`
	TokenBudget         *int     `json:"token_budget,omitempty" jsonschema:"most tokens of all passages together; 4000 if left out"`
	Mode                rag.Mode `json:"mode,omitempty" jsonschema:"search by words and meaning (hybrid, if left out), by meaning (vector) or by words (lexical)"`
	Neighbors           int      `json:"neighbors,omitempty" jsonschema:"passages before and after each one found; 0 if left out"`
	DocumentIDs         []string `json:"document_ids,omitempty" jsonschema:"only in these documents; all if left out"`
	TimeoutMS           int      `json:"timeout_ms,omitempty" jsonschema:"milliseconds until there must be an answer; the server's own if left out, and never more"`
}

func (d *Door) retrieve() tool[retrieveInput, *rag.Response] {
	return tool[retrieveInput, *rag.Response]{
		name: "retrieve", title: "Find passages",
		description: "Finds the passages of the user's documents that answer a question, best first, with file, section and pages to cite. " +
			"With no passages, empty_reason says why; when degraded is present, a part of the search was missing.",
		restrict: func(p map[string]*jsonschema.Schema) {
			p["mode"].Enum = []any{rag.Hybrid, rag.Vector, rag.Lexical}
			between(p["max_chunks"], 1, rag.MaxChunks)
			between(p["token_budget"], 1, rag.MaxTokenBudget)
			between(p["neighbors"], 0, rag.MaxNeighbors)
			zero, one, most := 0.0, 1.0, rag.MaxDocumentIDs
			p["similarity_threshold"].ExclusiveMinimum, p["similarity_threshold"].Maximum = &zero, &one
			p["document_ids"].MaxItems = &most
			atLeast(p["timeout_ms"], 0)
		},
		run: func(ctx context.Context, user rag.User, in retrieveInput) (*rag.Response, string, error) {
			if in.Query == "" { // a request may have a vector instead, a tool may not
				return nil, "", rag.FieldErrorf("query", "is missing")
			}
			resp, err := d.library.Retrieve(ctx, user, rag.Request{
				Query: in.Query, MaxChunks: in.MaxChunks, SimilarityThreshold: in.SimilarityThreshold, TokenBudget: in.TokenBudget,
				Mode: in.Mode, Neighbors: in.Neighbors, DocumentIDs: in.DocumentIDs, TimeoutMS: in.TimeoutMS,
			})
			if err != nil {
				return nil, "", err
			}
			if resp.Chunks == nil {
				resp.Chunks = []rag.Passage{} // the contract has a list, never null
			}
			return resp, answerText(resp), nil
		},
	}
}

// answerText is the answer as a reader wants it: what is missing first, then
// each passage under the place to cite.
func answerText(resp *rag.Response) string {
	var b strings.Builder
	for _, g := range resp.Degraded {
		fmt.Fprintf(&b, "Not the whole answer: the %s stage did not do its part (%s).", g.Stage, g.Reason)
		if g.Message != "" {
			b.WriteString(" " + oneLine(g.Message))
		}
		b.WriteByte('\n')
	}
	if len(resp.Chunks) == 0 {
		reason := rag.NoMatch
		if resp.EmptyReason != nil {
			reason = *resp.EmptyReason
		}
		fmt.Fprintf(&b, "No passages (%s): %s\n", reason, emptyWords(reason))
		return b.String()
	}
	fmt.Fprintf(&b, "%s by %s search, %d tokens", counted(len(resp.Chunks), "passage"), resp.Mode, resp.Tokens)
	if resp.Truncated {
		b.WriteString("; more were found than token_budget holds")
	}
	b.WriteString(".\n")
	for i, p := range resp.Chunks {
		fmt.Fprintf(&b, "\n[%d] %s\n%s\n", i+1, citation(p), strings.TrimSpace(p.Content))
	}
	return b.String()
}

// citation is where a passage is from, and how it was found.
func citation(p rag.Passage) string {
	parts := []string{where(p)}
	if p.Similarity != nil {
		parts = append(parts, fmt.Sprintf("similarity %.2f", *p.Similarity))
	}
	if !p.Primary {
		parts = append(parts, "beside a passage found")
	}
	return strings.Join(append(parts, "document "+p.DocID), " · ")
}

// where is the file, section and pages of a passage.
func where(p rag.Passage) string {
	parts := []string{oneLine(p.Filename)}
	if p.SectionTitle != nil && *p.SectionTitle != "" {
		parts = append(parts, "section "+oneLine(*p.SectionTitle))
	}
	switch {
	case p.PageStart == nil:
	case p.PageEnd == nil || *p.PageEnd == *p.PageStart:
		parts = append(parts, fmt.Sprintf("page %d", *p.PageStart))
	default:
		parts = append(parts, fmt.Sprintf("pages %d-%d", *p.PageStart, *p.PageEnd))
	}
	return strings.Join(parts, " · ")
}

func emptyWords(r rag.EmptyReason) string {
	switch r {
	case rag.NoDocuments:
		return "the user has no documents here, or none of those asked for."
	case rag.StillIndexing:
		return "documents are still being indexed; ask again soon."
	case rag.BelowThreshold:
		return "what was found is less similar than similarity_threshold."
	case rag.OverBudget:
		return "the best passage alone is longer than token_budget."
	case rag.NoMatch:
	}
	return "nothing in the documents matches; try other words."
}

// oneLine keeps a name from a document from looking like more than a name.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
