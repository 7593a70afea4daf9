package rag

import "strings"

// thoughts takes away what some models, mostly those that run at home, write
// down before they answer: <think>…</think>. It is no part of the answer, and
// its citations are none.
type thoughts struct {
	held   string
	inside bool
	past   bool
}

const (
	thoughtsBegin = "<think>"
	thoughtsEnd   = "</think>"
)

// write returns what comes after; the same whatever the pieces.
func (t *thoughts) write(s string, last bool) string {
	if t.past {
		return s
	}
	text := t.held + s
	t.held = ""
	if !t.inside {
		text = strings.TrimLeft(text, blanks)
		switch rest, begun := strings.CutPrefix(text, thoughtsBegin); {
		case begun:
			t.inside, text = true, rest
		case !last && strings.HasPrefix(thoughtsBegin, text):
			t.held = text
			return ""
		default:
			t.past = true
			return text
		}
	}
	if i := strings.Index(text, thoughtsEnd); i >= 0 {
		t.past = true
		return text[i+len(thoughtsEnd):]
	}
	t.held = text[max(0, len(text)-len(thoughtsEnd)+1):]
	return ""
}
