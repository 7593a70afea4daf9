package rag

import (
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

// passagesText is the passages as Markdown, instead of an answer that was not
// written because of why.
func passagesText(why string, passages []Passage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "No answer was written, because %s. These passages of your documents fit the question best:\n", why)
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
