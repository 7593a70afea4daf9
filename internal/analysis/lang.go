package analysis

import "slices"

// Lang is an ISO 639-1 code ("en", "de", "zh"); the empty Lang means unknown.
// It is a plain string so that a store may keep it beside a document.
type Lang string

// Unknown marks text whose language could not be told. Its words are indexed
// as they stand, without stems.
const Unknown Lang = ""

// Languages with a stemmer and a list of stop words.
const (
	Arabic     Lang = "ar"
	Danish     Lang = "da"
	Dutch      Lang = "nl"
	English    Lang = "en"
	Finnish    Lang = "fi"
	French     Lang = "fr"
	German     Lang = "de"
	Hungarian  Lang = "hu"
	Italian    Lang = "it"
	Norwegian  Lang = "no"
	Portuguese Lang = "pt"
	Romanian   Lang = "ro"
	Russian    Lang = "ru"
	Spanish    Lang = "es"
	Swedish    Lang = "sv"
	Turkish    Lang = "tr"
)

// Languages written without spaces, or with particles glued to the words.
// They are indexed as n-grams and need no stemmer.
const (
	Burmese  Lang = "my"
	Chinese  Lang = "zh"
	Japanese Lang = "ja"
	Khmer    Lang = "km"
	Korean   Lang = "ko"
	Lao      Lang = "lo"
	Thai     Lang = "th"
)

// Polish, Czech, Ukrainian and Persian are told apart only so that their text
// is not stemmed as the neighbour it resembles.
const (
	Czech     Lang = "cs"
	Persian   Lang = "fa"
	Polish    Lang = "pl"
	Ukrainian Lang = "uk"
)

// gluesWords reports whether the language writes compound nouns as one word.
func (l Lang) gluesWords() bool {
	return slices.Contains([]Lang{German, Dutch, Swedish, Danish, Norwegian}, l)
}
