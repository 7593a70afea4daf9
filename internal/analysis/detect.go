package analysis

import (
	"strings"
	"unicode/utf8"
)

const (
	detectBytes  = 64 << 10 // what is read of a document to tell its language
	detectPieces = 4        // spread over it, since a title page or an index is not prose
	shortText    = 40       // words; below, no stop word need occur
	enough       = 3        // different stop words that longer text must hold
)

// Detect tells the language of a text by its script and, where several
// languages share the script, by how many of its words are stop words of each.
// Of a long text it reads four pieces, 64 KiB in all. Short Latin text without
// any stop word (a title, a list) counts as English, because the only thing
// that hangs on it is whether plurals are joined; long text without any is
// Unknown.
func (a *Analyzer) Detect(text string) Lang {
	sample := spread(text)
	var n census
	for _, r := range sample {
		n.count(r)
	}
	if lang := n.byScript(); lang != Unknown {
		return lang
	}
	switch {
	case n.arabic > n.latin && n.arabic > n.cyrillic:
		if n.persian*50 > n.arabic {
			return Persian
		}
		return Arabic
	case n.cyrillic > n.latin:
		return a.vote(sample, Russian, Ukrainian)
	case n.unnamed > n.latin, n.latin == 0:
		return Unknown
	}
	return a.vote(sample, English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish,
		Norwegian, Finnish, Hungarian, Romanian, Turkish, Polish, Czech)
}

// vote counts stop words. The first of the candidates wins ties and stands in
// for text too short to hold any.
func (a *Analyzer) vote(sample string, candidates ...Lang) Lang {
	votes := make([]int, len(candidates))
	seen := make([]map[string]struct{}, len(candidates)) // which stop words
	total := 0
	for w := range words(sample) {
		total++
		w = fold(lower(Unknown, w))
		in := a.stops[w]
		if in == 0 {
			continue
		}
		for i, lang := range candidates {
			if in&a.bits[lang] == 0 {
				continue
			}
			votes[i]++
			if len(seen[i]) < enough {
				if seen[i] == nil {
					seen[i] = make(map[string]struct{}, enough)
				}
				seen[i][w] = struct{}{}
			}
		}
	}
	best := 0
	for i := range votes {
		if votes[i] > votes[best] {
			best = i
		}
	}
	switch {
	case total < shortText: // a few words: any sign will do
		return candidates[best]
	case votes[best]*25 < total, len(seen[best]) < enough: // less than one word in 25, or one word only
		return Unknown
	}
	return candidates[best]
}

// spread returns at most detectBytes of valid UTF-8 taken from four places.
func spread(text string) string {
	if len(text) <= detectBytes {
		return strings.ToValidUTF8(text, " ")
	}
	var b strings.Builder
	size := detectBytes / detectPieces
	for i := range detectPieces {
		from := (len(text) - size) / (detectPieces - 1) * i
		b.WriteString(text[from : from+size])
		b.WriteByte(' ')
	}
	return strings.ToValidUTF8(b.String(), " ")
}

// census counts the letters of a text by script.
type census struct {
	latin, cyrillic, arabic, persian   int
	han, kana, hangul                  int
	thai, lao, khmer, burmese, unnamed int
}

func (c *census) count(r rune) {
	if r < utf8.RuneSelf {
		if r|0x20 >= 'a' && r|0x20 <= 'z' {
			c.latin++
		}
		return
	}
	switch gramOf(r) {
	case han:
		c.han++
		return
	case kana:
		c.kana++
		return
	case hangul:
		c.hangul++
		return
	case thai:
		c.thai++
		return
	case lao:
		c.lao++
		return
	case khmer:
		c.khmer++
		return
	case burmese:
		c.burmese++
		return
	case notGram:
	}
	switch {
	case r >= 0xC0 && r <= 0x24F, r >= 0x1E00 && r <= 0x1EFF:
		c.latin++
	case r >= 0x0400 && r <= 0x04FF:
		c.cyrillic++
	case r >= 0x0600 && r <= 0x06FF, r >= 0xFB50 && r <= 0xFEFC:
		c.arabic++
		switch r {
		case 'پ', 'چ', 'ژ', 'گ', 'ک', 'ی':
			c.persian++
		}
	case r >= 0x0370 && r <= 0x03FF, r >= 0x0530 && r <= 0x0DFF:
		c.unnamed++
	}
}

// byScript names the language where the script alone tells it. A character of
// these scripts carries about as much as a Latin word, hence the factor.
func (c *census) byScript() Lang {
	const worth = 3
	rest := max(c.latin, c.cyrillic, c.arabic, c.unnamed)
	for _, s := range []struct {
		lang Lang
		n    int
	}{{Thai, c.thai}, {Lao, c.lao}, {Khmer, c.khmer}, {Burmese, c.burmese}, {Korean, c.hangul}} {
		if s.n*worth > rest && s.n > c.han+c.kana {
			return s.lang
		}
	}
	if cjk := c.han + c.kana; cjk > 0 && cjk*worth > rest {
		if c.kana*20 > cjk {
			return Japanese
		}
		return Chinese
	}
	return Unknown
}
