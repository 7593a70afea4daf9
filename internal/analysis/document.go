package analysis

import (
	"strings"
	"unicode/utf8"
)

// memoBytes bounds what one Document remembers, counted over the words.
const memoBytes = 4 << 20

// Document reads the passages of one document. It remembers the terms of words
// it has met, so it is fast, not safe for concurrent use, and made anew for
// each document.
type Document struct {
	a    *Analyzer
	lang Lang
	memo map[string]entry
	used int

	pieces []piece
	forms  []string
}

// entry is the terms of one run and the words it counts as.
type entry struct {
	terms []string
	words int
}

// Document begins a document in the language given, usually Detect's.
func (a *Analyzer) Document(lang Lang) *Document {
	return &Document{a: a, lang: lang, memo: make(map[string]entry)}
}

// Terms calls emit with every term of a passage, once for each time it occurs,
// and returns the length of the passage in words. Stems, parts and wholes are
// terms but do not make a passage longer; in scripts without spaces every
// character counts as a word. A term is never empty, never longer than 64
// runes, and always valid UTF-8. Time is linear in the text, whatever it holds.
func (d *Document) Terms(passage string, emit func(term string)) (length int) {
	for slab := range slabs(passage) {
		before := ""
		for r := range runs(slab) {
			e, ok := d.memo[r.text]
			if !ok {
				e = d.read(r, emit)
			}
			for _, t := range e.terms {
				emit(t)
			}
			length += e.words
			if r.near && labelled(before, r, true) {
				emit(label(before, r.text))
			}
			before = r.text
		}
	}
	return length
}

// read works out the terms of a run not met before. A run with n-grams is
// emitted at once and not remembered: it is as good as never repeated.
func (d *Document) read(r run, emit func(string)) entry {
	if len(r.text) > 2 && hasGrams(r.text) {
		n := 0
		stretches(r.text, func(part string, class gramScript) {
			if class == notGram {
				e := d.terms(part, r.linked)
				for _, t := range e.terms {
					emit(t)
				}
				n += e.words
				return
			}
			n += grams(part, true, func(g string, _ bool) { emit(cut(g)) })
		})
		return entry{words: n}
	}
	e := d.terms(r.text, r.linked)
	d.used += len(r.text) + 64
	if d.used > memoBytes {
		clear(d.memo)
		d.used = len(r.text) + 64
	}
	if len(r.text) <= maxRunBytes {
		d.memo[strings.Clone(r.text)] = e
	}
	return e
}

// terms returns the terms of a run without n-grams.
func (d *Document) terms(text string, linked bool) entry {
	d.pieces = pieces(d.pieces[:0], text, linked)
	d.forms = d.forms[:0]
	n := 0
	for _, p := range d.pieces {
		if p.kind != wholePiece {
			n++
		}
		d.forms = d.a.forms(d.forms, d.lang, p)
	}
	return entry{terms: distinct(d.forms), words: n}
}

// distinct returns a copy without repetitions and empty terms. What occurs
// twice in one run ("boogie-woogie" has no such thing, "12/12" has) counts once.
func distinct(terms []string) []string {
	out := make([]string, 0, len(terms))
next:
	for _, t := range terms {
		if t == "" {
			continue
		}
		for _, have := range out {
			if have == t {
				continue next
			}
		}
		out = append(out, strings.Clone(t))
	}
	return out
}

// forms appends the terms of one piece of a document: the exact word, its stem,
// the stem of the word as typed without accents, the parts of a compound.
func (a *Analyzer) forms(dst []string, lang Lang, p piece) []string {
	if p.kind == termPiece {
		return append(dst, cut(p.text))
	}
	low := p.text
	if p.kind == wordPiece {
		low = lower(lang, bounded(p.text))
	}
	exact := fold(low)
	dst = append(dst, exact)
	if a.stop(lang, exact) {
		return dst // stop words have no forms worth a posting
	}
	if s := stem(lang, low); s != "" && s != exact {
		dst = append(dst, s)
	}
	if low != exact {
		if s := stem(lang, exact); s != "" && s != exact {
			dst = append(dst, s)
		}
	}
	if p.kind == wordPiece && lang.gluesWords() {
		if head, tail, ok := seam(low); ok {
			dst = a.forms(dst, lang, piece{text: head})
			dst = a.forms(dst, lang, piece{text: tail})
		}
	}
	return dst
}

// bounded cuts a word before any work is done on it. Marks and invisible
// characters may yet shrink it, so it is longer than a term.
func bounded(word string) string {
	const most = 4 * maxTermRunes * utf8.UTFMax
	if len(word) <= most {
		return word
	}
	return strings.ToValidUTF8(word[:most], "")
}

// seam finds the joint of a Germanic compound behind a suffix that is followed
// by a linking s ("krankenversicherung|s|beitrag"): the one joint that can be
// seen without a dictionary.
func seam(word string) (head, tail string, ok bool) {
	const shortest = 4
	if len(word) < 12 {
		return "", "", false
	}
	for _, suffix := range []string{"ungs", "heits", "keits", "schafts", "ions", "täts", "tums", "lings", "nings", "hets"} {
		at := strings.LastIndex(word[:len(word)-shortest], suffix)
		if at < shortest {
			continue
		}
		end := at + len(suffix)
		if utf8.RuneCountInString(word[end:]) >= shortest {
			return word[:end-1], word[end:], true
		}
	}
	return "", "", false
}

// labelled reports a name made of a word and one letter or a short number:
// "Part D", "Tier 2", "Chapter 9". In a document the letter is a capital, in a
// question only an A or I need be.
func labelled(before string, r run, capital bool) bool {
	if r.linked || len(r.text) > 3 || len(before) < 3 || len(before) > maxTermRunes/2 || !letters(before) {
		return false
	}
	if len(r.text) == 1 {
		c := r.text[0]
		if c >= 'A' && c <= 'Z' || (!capital && c >= 'b' && c <= 'z' && c != 'i') {
			return true
		}
	}
	for i := range len(r.text) {
		if c := r.text[i]; c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func letters(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x80 && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func label(before, sign string) string {
	return cut(fold(lower(Unknown, before)) + " " + lower(Unknown, sign))
}
