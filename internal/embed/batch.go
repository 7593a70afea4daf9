package embed

import (
	"strings"
	"unicode/utf8"

	"weir/internal/rag"
)

// span is the texts [from, to) of a call.
type span struct{ from, to int }

// split cuts texts into spans of at most items texts and bytes bytes; a longer
// text is a span by itself.
func split(texts []string, items, bytes int) []span {
	var spans []span
	from, sum := 0, 0
	for i, t := range texts {
		if i > from && (i-from == items || sum+len(t) > bytes) {
			spans = append(spans, span{from, i})
			from, sum = i, 0
		}
		sum += len(t)
	}
	if from < len(texts) {
		spans = append(spans, span{from, len(texts)})
	}
	return spans
}

// valid checks what can be known without asking: it costs nothing.
func (c Config) valid(texts []string) *rag.Error {
	for i, t := range texts {
		switch {
		case strings.TrimSpace(t) == "":
			return invalid(i, "it is empty")
		case len(t) > c.MaxTextBytes:
			return invalid(i, "it is too long to embed (%d bytes, at most %d)", len(t), c.MaxTextBytes)
		case !utf8.ValidString(t):
			return invalid(i, "it is not valid UTF-8")
		}
	}
	return nil
}

func invalid(i int, format string, args ...any) *rag.Error {
	e := rag.FieldErrorf(field(i), format, args...)
	e.Phase = Validate.String()
	return e
}
