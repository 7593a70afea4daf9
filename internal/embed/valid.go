package embed

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/internal/provider"
	"weir/internal/rag"
)

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
	e.Phase = provider.Validate.String()
	return e
}

// at says which text an error is about.
func at(e *rag.Error, i int) *rag.Error {
	named := *e
	named.Msg = field(i) + ": " + e.Msg
	if e.Code == rag.Invalid {
		named.Field = field(i)
	}
	return &named
}

func field(i int) string { return "texts[" + strconv.Itoa(i) + "]" }
