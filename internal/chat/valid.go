package chat

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"weir/internal/provider"
	"weir/internal/rag"
)

// valid checks what can be known without asking: it costs nothing.
func (c Config) valid(r rag.ChatRequest) *rag.Error {
	refuse := func(field, format string, args ...any) *rag.Error {
		e := rag.FieldErrorf(field, format, args...)
		e.Phase = provider.Validate.String()
		return e
	}
	bytes, said := 0, false
	for i, m := range r.Messages {
		field := fmt.Sprintf("messages[%d]", i)
		switch {
		case m.Role != "system" && m.Role != "user" && m.Role != "assistant":
			return refuse(field, "its role must be system, user or assistant")
		case !utf8.ValidString(m.Content):
			return refuse(field, "it is not valid UTF-8")
		}
		bytes += len(m.Content)
		said = said || strings.TrimSpace(m.Content) != ""
	}
	switch {
	case !said:
		return refuse("messages", "there is nothing in them")
	case bytes > c.MaxRequestBytes:
		return refuse("messages", "they are too long to send (%d bytes, at most %d)", bytes, c.MaxRequestBytes)
	case r.MaxTokens < 0:
		return refuse("max_tokens", "it must not be negative")
	default:
		return nil
	}
}
