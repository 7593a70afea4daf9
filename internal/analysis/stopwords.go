package analysis

import (
	_ "embed"
	"strings"
)

// stopList holds, for each language, the words that carry no subject of their
// own: articles, pronouns, prepositions, auxiliaries and question words. They
// serve twice: to drop such words from questions and, counted in a text, to
// tell its language.
//
//go:embed stopwords.txt
var stopList string

// gramStops are the two-character pieces of everyday questions in scripts
// without spaces.
func gramStops() string {
	return `什么 什麼 多少 如何 怎么 怎麼 怎样 怎樣 哪里 哪裡 哪些 哪个 哪個 是否 可以 能否 我们 我們 你们 他们 的是 是什 我的 是多 为什 為什
請問 请问 有多 需要 这个 這個 いく くら らで です ます すか です した ませ せん どこ いつ なに 何で とは は何 のは って どの この その どう うす する れる
か。 たら てい いる ある あり りま なり すべ いま まし`
}

// langSet is a set of the languages that have a stop list, a bit for each.
type langSet uint32

// stopSets turns the lists about: for every stop word, folded, the languages it
// is one of. bits tells the bit of each language.
func stopSets() (stops map[string]langSet, bits map[Lang]langSet) {
	stops, bits = make(map[string]langSet), make(map[Lang]langSet)
	var bit langSet
	for line := range strings.Lines(stopList) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if lang, ok := strings.CutPrefix(line, "["); ok {
			bit = 1 << len(bits)
			bits[Lang(strings.TrimSuffix(lang, "]"))] = bit
			continue
		}
		for w := range strings.FieldsSeq(line) {
			stops[fold(w)] |= bit
		}
	}
	return stops, bits
}
