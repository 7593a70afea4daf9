// Package analysis turns text into search terms, for documents and for
// questions. It knows no store; every store that ranks by words uses it, so
// that all of them find the same.
//
// # Goals
//
// A question in any language finds its passage: whatever the inflection, the
// accents, the width of the letters or the manner of writing numbers; in
// scripts with spaces and without; in an archive of several languages, without
// being told which one the question is in. Any text is accepted, in linear
// time, within bounded memory.
//
// # Words
//
// Text is brought to NFKC (full-width letters, half-width Katakana, ligatures),
// cut by the rules of UAX #29, lower-cased and folded: accents vanish from
// Latin, Greek, Hebrew and Arabic letters (ü is u, é is e), ß is ss, æ is ae, ø
// is o, Turkish ı and İ are i, ё is е but й stays; Arabic loses harakat and
// tatweel, its alefs become one, ى is ي and ة is ه; digits of all scripts become
// ASCII. Soft hyphens and direction marks are not there. Arabic and Latin
// spellings are folded the same way whatever the language. Simplified and
// traditional Chinese are not mapped onto one another.
//
// What white space does not divide is found by its parts and as a whole:
//
//	out-of-pocket      out, of, pocket; outofpocket
//	H5427-003          h5427, 003; h5427003, so that "H5427003" finds it
//	jane@example.org   jane, example, org, example.org; the whole address
//	https://a.org/x    https, a, org, a.org, x; the whole address
//	$1,500.00          1500, $1500; the same as "1.500,00", "1'500" or "1500"
//	20%                20, 20%
//	12.05.2024         12, 05, 2024; the whole date, as it is written
//	plan's             plan;  l'assurance: assurance;  O'Connor: o, connor, oconnor
//	U.S.A.             usa, u.s.a
//	Part D, Tier 2     part, d, "part d": a word with the capital or the number after it
//
// A number is found in whatever style it is written, a date only in its own.
// Terms are cut at 64 runes.
//
// # Languages
//
// Detect tells a document's language by script and stop words. A document's
// words are indexed as they are, and beside that by their Snowball stem in the
// document's language, if it differs (English stems know the commonest
// irregular forms, "teeth" and "paid", and the commonest British spellings). A
// question is too short to tell its language. So each of its words becomes a
// group of alternatives: the exact word, then its stems under all languages the
// documents have; a store scores a group by its best alternative, and a word is
// never counted twice. A question word that is missing an accent still meets
// the stem, because documents also hold the stem of the unaccented word. For
// German, ae, oe and ue are tried for ä, ö and ü and the other way about.
//
// Compounds of German, Dutch and the Scandinavian languages are split where a
// suffix and its linking s show the joint (Versicherungs|beitrag,
// Gesundheits|karte), in documents and questions; and a question's compound is
// split into two words if the documents hold both. What remains: a compound in
// a document with no such joint (Haustürschlüssel) is not found by its parts.
// In English the same is done with words that the documents do not hold, and
// two words side by side also find the one word ("health care", "healthcare").
//
// # Scripts without spaces
//
// Han, Hiragana, Katakana, Hangul, Thai, Lao, Khmer and Burmese are indexed as
// pairs of neighbouring characters, each with its vowel and tone marks; Han and
// Hangul also as single characters, so that a question of one character finds.
// Pairs of Hiragana, mostly grammar, weigh less in a question, and pairs that
// only ask (什么, です) are left out like stop words.
//
// # Stop words
//
// Stop words are indexed, and left out of a question that has anything else: in
// the language that the question's own stop words show. Where the documents are
// in one language one stop word shows it, where they are in several two must
// agree. A question of nothing but stop words is searched as it is. After "how",
// the words long, far, often and the like only ask, and are left out too.
//
// # Bounds
//
// A question has at most MaxGroups words that count, the first ones;
// Query.Ignored tells how many were left out.
package analysis
