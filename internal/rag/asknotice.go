package rag

import (
	"errors"
	"fmt"
	"strings"
)

// declined answers a question that the model found no answer to.
const declined = "The passages found in your documents do not answer this question."

// emptySentence answers a question that no passage was found for; restricted:
// only some documents were searched.
func emptySentence(reason EmptyReason, restricted bool) string {
	switch reason {
	case NoDocuments:
		if restricted {
			return "None of the documents named can be searched, so there is nothing to answer from."
		}
		return "There are no documents yet, so there is nothing to answer from."
	case StillIndexing:
		return "The documents are still being indexed; ask again in a moment."
	case BelowThreshold:
		return "No passage of your documents is similar enough to this question."
	case OverBudget:
		return "Passages were found, but the best of them does not fit into the budget of tokens."
	case NoMatch:
	}
	return "No passage of your documents has anything of this question in it."
}

// unwritten says in words for readers why the chat model wrote no answer. Of an Error that
// is its message up to the details, which are for operators and may be in the
// provider's words: "the chat model refused the API key", without "(401)".
func unwritten(err error) string {
	var e *Error
	code := CodeOf(err)
	if errors.As(err, &e) && e.Field == "" && code != Internal {
		said, _, _ := strings.Cut(e.Msg, ": ")
		said, _, _ = strings.Cut(said, " (")
		if said = strings.TrimSpace(said); said != "" {
			return escaped(said)
		}
	}
	switch code {
	case Timeout, Canceled:
		return "the chat model did not answer in time"
	case Invalid, TooLarge, UnsupportedMedia:
		return "the chat model refused the question"
	case RateLimited, Overloaded:
		return "too many answers are asked for at this moment"
	case Internal:
		return "the server failed while it was to be written"
	case Unavailable, Unauthorized, Forbidden, NotFound, Conflict:
	}
	return "the chat model cannot be used at this moment"
}

// wordless says why a model that did not fail wrote nothing; cut is length,
// content_filter or "".
func wordless(cut string) (reason, why string) {
	switch cut {
	case "length":
		return cut, "the chat model had used up the most tokens it may write before its first word"
	case "content_filter":
		return cut, "the provider's filter let nothing of it through"
	}
	return "empty", "the chat model wrote nothing"
}

// passagesText is the passages as Markdown, instead of an answer that was not
// written because of why; reason is the same as a code.
func passagesText(why, reason string, passages []Passage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "No answer was written, because %s (%s). These passages of your documents fit the question best:\n", why, reason)
	for i, p := range passages {
		fmt.Fprintf(&b, "\n**[%d] %s**\n\n", i+1, escaped(whereIs(p)))
		for line := range strings.SplitSeq(strings.TrimSpace(p.Content), "\n") {
			b.WriteString(strings.TrimRight("> "+strings.TrimRight(line, "\r"), " ") + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// whereIs says where a passage stands: file, section, page.
func whereIs(p Passage) string {
	parts := []string{p.Filename}
	if p.SectionTitle != nil && *p.SectionTitle != "" {
		parts = append(parts, *p.SectionTitle)
	}
	if pages := pagesOf(p); strings.Contains(pages, "-") {
		parts = append(parts, "pages "+pages)
	} else if pages != "" {
		parts = append(parts, "page "+pages)
	}
	return strings.Join(strings.Fields(strings.Join(parts, ", ")), " ")
}

// escaped is s as Markdown shows it as it is.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_[]<>#|~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Place says where the passage stands: file, section, page.
func (c Citation) Place() string {
	return whereIs(Passage{Filename: c.Filename, SectionTitle: c.SectionTitle, PageStart: c.PageStart, PageEnd: c.PageEnd})
}
