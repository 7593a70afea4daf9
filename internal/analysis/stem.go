package analysis

import (
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/turkish"
)

// stemmer returns the Snowball stemmer of a language, nil if it has none.
func stemmer(lang Lang) func(*snowballstem.Env) bool {
	switch lang {
	case Arabic:
		return arabic.Stem
	case Danish:
		return danish.Stem
	case Dutch:
		return dutch.Stem
	case English:
		return english.Stem
	case Finnish:
		return finnish.Stem
	case French:
		return french.Stem
	case German:
		return german.Stem
	case Hungarian:
		return hungarian.Stem
	case Italian:
		return italian.Stem
	case Norwegian:
		return norwegian.Stem
	case Portuguese:
		return portuguese.Stem
	case Romanian:
		return romanian.Stem
	case Russian:
		return russian.Stem
	case Spanish:
		return spanish.Stem
	case Swedish:
		return swedish.Stem
	case Turkish:
		return turkish.Stem
	case Unknown, Burmese, Chinese, Czech, Japanese, Khmer, Korean, Lao, Persian, Polish, Thai, Ukrainian:
	}
	return nil
}

// stem returns the folded stem of a lower-cased word, "" where there is none.
// The generated stemmers index their word by hand; should one of them step
// outside it, the word simply has no stem, and the document is not lost.
func stem(lang Lang, word string) (folded string) {
	if !reads(lang, word) {
		return ""
	}
	run := stemmer(lang)
	if run == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			folded = ""
		}
	}()
	if lang == English {
		if base := irregular(word); base != "" {
			word = base
		} else {
			word = american(word)
		}
	}
	env := snowballstem.NewEnv(word)
	run(env)
	return fold(env.Current())
}

// reads reports whether word is written in the letters of lang and worth
// stemming: a Russian word in an English document is not touched, nor is a
// number or a code.
func reads(lang Lang, word string) bool {
	n := 0
	for _, r := range word {
		n++
		if !letterOf(lang, r) {
			return false
		}
	}
	return n > 2 && n <= maxTermRunes
}

func letterOf(lang Lang, r rune) bool {
	if lang == Arabic {
		return r >= 0x0600 && r <= 0x06FF
	}
	if lang == Russian {
		return r >= 0x0400 && r <= 0x04FF
	}
	return (r >= 'a' && r <= 'z') || (r >= 0xDF && r <= 0x24F) || r == '\''
}
