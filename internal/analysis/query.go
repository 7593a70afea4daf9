package analysis

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a question. More than a page of words is not a question but a
// document; what is beyond is not searched, and Query.Ignored says how much.
const (
	MaxGroups       = 64
	maxAlternatives = 12
	maxQueryBytes   = 64 << 10
)

// Weights of the alternatives of a word, relative to its exact form.
const (
	stemWeight     = 0.95 // another form of the same word
	variantWeight  = 0.85 // another spelling: ü typed as ue
	compoundWeight = 0.6  // a part of a compound
	wholeWeight    = 0.3  // several words written as one, beside the words
	kanaWeight     = 0.3  // a pair of Hiragana: mostly grammar
	signWeight     = 0.5  // a letter standing alone
)

// Query is a question as search terms. Every group is one word of it; a
// passage holds the word if it holds any of the alternatives, and is scored by
// the best of them.
type Query struct {
	Groups []Group
	// Ignored counts the words that were left out because the question has
	// more than MaxGroups, zero for every ordinary question. Text beyond
	// 64 KiB is not even counted, and adds one.
	Ignored int
	// StopWords reports that the question has nothing but stop words, which
	// are searched only then.
	StopWords bool
}

// Group is one word of the question: its alternatives, the exact form first.
type Group []Alternative

// Alternative is a term and what it is worth, in (0,1].
type Alternative struct {
	Term   string
	Weight float32
}

// Query reads a question. langs are the languages of the documents it is asked
// of (in any order, Unknown allowed); known tells whether a term occurs in
// them and may be nil, then compounds in the question are not split. Any text
// is a question; one without words gives no groups.
func (a *Analyzer) Query(text string, langs []Lang, known func(term string) bool) Query {
	langs = slices.Compact(slices.Sorted(slices.Values(langs)))
	q := asker{a: a, langs: langs, known: known, at: make(map[string]int)}
	if len(text) > maxQueryBytes {
		text = strings.ToValidUTF8(text[:maxQueryBytes], "")
		q.out.Ignored++
	}
	ws := a.questionWords(text)
	lang, sure := a.asked(ws, langs)
	for i := range ws {
		ws[i].stop = ws[i].stop || (sure && ws[i].kind == wordPiece && a.stop(lang, ws[i].folded))
	}
	if lang == English && sure {
		degrees(ws)
	}
	content := slices.ContainsFunc(ws, func(w word) bool { return !w.stop })
	q.out.StopWords = !content && len(ws) > 0
	for i, w := range ws {
		if content && w.stop {
			continue
		}
		q.word(w)
		if i > 0 {
			q.joined(ws[i-1], w)
		}
	}
	return q.out
}

// word is one piece of a question on its way to a group.
type word struct {
	piece
	folded string
	weight float32
	gram   bool
	stop   bool
}

// questionWords takes a question apart in order of reading.
func (a *Analyzer) questionWords(text string) []word {
	var ws []word
	var ps []piece
	before := ""
	for slab := range slabs(text) {
		for r := range runs(slab) {
			stretches(r.text, func(part string, class gramScript) {
				if class != notGram {
					grams(part, false, func(g string, _ bool) { ws = append(ws, a.gram(g)) })
					return
				}
				ps = pieces(ps[:0], part, r.linked)
				for _, p := range ps {
					w := word{piece: p, folded: p.text, weight: 1}
					if p.kind == wordPiece {
						w.folded = fold(lower(Unknown, bounded(p.text)))
					}
					switch {
					case p.kind == wholePiece && p.parts && !strings.ContainsAny(p.text, "0123456789@/"):
						w.weight = wholeWeight
					case p.kind == wordPiece && len(w.folded) == 1:
						w.weight = signWeight
					}
					ws = append(ws, w)
				}
			})
			if r.near && labelled(before, r, false) {
				l := label(before, r.text)
				ws = append(ws, word{
					piece: piece{text: l, kind: wholePiece}, folded: l, weight: 1,
					stop: a.stop(English, fold(lower(Unknown, before))),
				})
			}
			before = r.text
		}
	}
	return ws
}

func (a *Analyzer) gram(g string) word {
	w := word{piece: piece{text: g, kind: termPiece}, folded: cut(g), weight: 1, gram: true}
	_, w.stop = a.grams[g]
	hiragana := true
	for _, r := range g {
		hiragana = hiragana && r >= 0x3041 && r <= 0x309F
	}
	if hiragana {
		w.weight = kanaWeight
	}
	return w
}

// asked tells in which of the languages the question is put, by its stop
// words. With several candidates two stop words must agree: "war crimes" is
// not German because "war" is a German auxiliary.
func (a *Analyzer) asked(ws []word, langs []Lang) (lang Lang, sure bool) {
	best, second := 0, 0
	candidates := 0
	for _, l := range langs {
		if a.bits[l] == 0 {
			continue
		}
		candidates++
		n := 0
		for _, w := range ws {
			if w.kind == wordPiece && a.stop(l, w.folded) {
				n++
			}
		}
		if n > best {
			lang, best, second = l, n, best
		} else if n > second {
			second = n
		}
	}
	return lang, best > 0 && (candidates == 1 || (best >= 2 && best > second))
}

// degrees marks the word after "how" in "how long", "how often": it asks, it is
// not what is asked about.
func degrees(ws []word) {
	for i := 1; i < len(ws); i++ {
		if ws[i-1].folded != "how" {
			continue
		}
		switch ws[i].folded {
		case "long", "far", "often", "soon", "quickly", "fast", "big", "large", "well", "old":
			ws[i].stop = true
		}
	}
}

// asker gathers the groups of one question.
type asker struct {
	a     *Analyzer
	langs []Lang
	known func(string) bool
	out   Query
	at    map[string]int // term → its group, so that no term is scored twice
}

func (q *asker) word(w word) {
	if w.folded == "" {
		return
	}
	alts := Group{{Term: cut(w.folded), Weight: w.weight}}
	if w.kind != termPiece {
		alts = q.alternatives(alts, w)
	}
	q.add(alts)
	if w.kind != wordPiece || q.known == nil || len(w.folded) < 8 {
		return
	}
	// Where compounds are written as one word they are always split, else only
	// what the documents do not know.
	if slices.ContainsFunc(q.langs, Lang.gluesWords) ||
		!slices.ContainsFunc(alts, func(x Alternative) bool { return q.known(x.Term) }) {
		q.compound(w)
	}
}

// joined adds two neighbouring words as one if the documents write them so:
// "health care" also finds "healthcare".
func (q *asker) joined(left, right word) {
	if q.known == nil || left.kind != wordPiece || right.kind != wordPiece || left.stop || right.stop ||
		len(left.folded) < 2 || len(right.folded) < 2 {
		return
	}
	w := word{piece: piece{text: left.text + right.text, kind: wordPiece}, folded: cut(left.folded + right.folded), weight: wholeWeight}
	alts := q.alternatives(Group{{Term: w.folded, Weight: w.weight}}, w)
	if slices.ContainsFunc(alts, func(x Alternative) bool { return q.known(x.Term) }) {
		q.add(alts)
	}
}

// alternatives adds the stems of a word in all languages of the documents.
func (q *asker) alternatives(alts Group, w word) Group {
	add := func(term string, weight float32) {
		if term == "" || len(alts) >= maxAlternatives {
			return
		}
		if !slices.ContainsFunc(alts, func(x Alternative) bool { return x.Term == term }) {
			alts = append(alts, Alternative{term, weight * w.weight})
		}
	}
	for _, lang := range q.langs {
		low := w.text
		if w.kind == wordPiece {
			low = lower(lang, bounded(w.text))
		}
		exact := fold(low)
		if q.a.stop(lang, exact) {
			continue // indexed without a stem
		}
		add(stem(lang, low), stemWeight)
		if low != exact {
			add(stem(lang, exact), stemWeight)
		}
		if lang != German {
			continue
		}
		for _, v := range umlauts(low) {
			add(fold(v), variantWeight)
			add(stem(lang, v), variantWeight*stemWeight)
		}
	}
	return alts
}

// umlauts returns the other ways to type a German word: "Münze" as "Muenze" and
// back.
func umlauts(low string) []string {
	var out []string
	if v := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue").Replace(low); v != low {
		out = append(out, v)
	}
	if v := strings.NewReplacer("ae", "ä", "oe", "ö", "ue", "ü").Replace(low); v != low {
		out = append(out, v)
	}
	return out
}

// add puts a word into the query: into the group that already holds one of its
// terms, else into one of its own while there is room.
func (q *asker) add(alts Group) {
	for _, alt := range alts {
		g, ok := q.at[alt.Term]
		if !ok {
			continue
		}
		for _, x := range alts {
			if _, taken := q.at[x.Term]; !taken && len(q.out.Groups[g]) < maxAlternatives {
				q.at[x.Term] = g
				q.out.Groups[g] = append(q.out.Groups[g], x)
			}
		}
		return
	}
	if len(q.out.Groups) == MaxGroups {
		q.out.Ignored++
		return
	}
	for _, alt := range alts {
		q.at[alt.Term] = len(q.out.Groups)
	}
	q.out.Groups = append(q.out.Groups, alts)
}

// compound splits a word of the question into two words that the documents
// know, and adds them as words of less weight. Where several splits are
// possible the one with the longest tail wins: the tail is the noun.
func (q *asker) compound(w word) {
	const shortest = 4
	low := lower(Unknown, bounded(w.text))
	for i := range low {
		if utf8.RuneCountInString(low[:i]) < shortest {
			continue
		}
		tail := low[i:]
		if utf8.RuneCountInString(tail) < shortest {
			return
		}
		head := q.knownForm(low[:i])
		if head == nil {
			continue
		}
		if rest := q.knownForm(tail); rest != nil {
			q.add(head)
			q.add(rest)
			return
		}
	}
}

// knownForm returns the alternatives of a part of a compound if any of them
// occurs in the documents, with and without a linking s, es, n or en.
func (q *asker) knownForm(part string) Group {
	for _, glue := range []string{"", "s", "es", "n", "en"} {
		base, ok := strings.CutSuffix(part, glue)
		if !ok || utf8.RuneCountInString(base) < 4 {
			continue
		}
		w := word{piece: piece{text: base, kind: wordPiece}, folded: fold(base), weight: compoundWeight}
		alts := q.alternatives(Group{{Term: w.folded, Weight: w.weight}}, w)
		if slices.ContainsFunc(q.langs, func(l Lang) bool { return q.a.stop(l, w.folded) }) {
			continue
		}
		if slices.ContainsFunc(alts, func(x Alternative) bool { return q.known(x.Term) }) {
			return alts
		}
	}
	return nil
}
