package provider

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage is how much of a provider's own words is shown, in bytes.
const maxMessage = 300

// Clean makes a provider's words fit to be shown: one line, bounded, without
// the key in whole or in part, and without the texts that were sent, which
// some providers repeat.
func Clean(msg, key string, texts []string) string {
	if len(msg) > 16*maxMessage {
		msg = msg[:16*maxMessage]
	}
	msg = withoutTexts(msg, texts)
	if key != "" {
		msg = strings.ReplaceAll(msg, key, "[key]")
	}
	words := strings.FieldsFunc(msg, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
	})
	for i, w := range words {
		if showsKey(w, key) {
			words[i] = "[key]"
		}
	}
	msg = strings.Join(words, " ")
	if len(msg) <= maxMessage {
		return msg
	}
	end := maxMessage
	for !utf8.RuneStart(msg[end]) {
		end--
	}
	return msg[:end] + "…"
}

// showsKey reports whether a word is part of the key or a masked form of it,
// such as sk-ab****yz.
func showsKey(word, key string) bool {
	const part = 6
	if strings.Contains(word, "***") {
		return true
	}
	return len(key) >= 2*part && (strings.Contains(word, key[:part]) || strings.Contains(word, key[len(key)-part:]))
}

// withoutTexts cuts msg off where it begins to repeat one of texts.
func withoutTexts(msg string, texts []string) string {
	const enough = 24 // bytes that do not agree by chance
	for _, t := range texts {
		t = strings.TrimSpace(t)
		var at int
		if len(t) >= enough {
			at = strings.Index(msg, t[:enough])
		} else { // a short one, such as "a", is only meant where it is quoted
			at = quoted(msg, t)
		}
		if at >= 0 {
			msg = msg[:at] + "[text]"
		}
	}
	return msg
}

func quoted(msg, text string) int {
	for _, q := range []string{`"`, "'", "`", `\"`} {
		if at := strings.Index(msg, q+text+q); at >= 0 {
			return at
		}
	}
	return -1
}
