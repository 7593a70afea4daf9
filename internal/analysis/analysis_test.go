package analysis_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/internal/analysis"
)

func termsOf(lang analysis.Lang, text string) []string {
	var out []string
	analysis.New().Document(lang).Terms(text, func(t string) { out = append(out, t) })
	return out
}

func TestTerms(t *testing.T) {
	for _, c := range []struct {
		name string
		lang analysis.Lang
		text string
		want string // terms joined by |
	}{
		{"nothing", "en", " \t\n.,;-", ""},
		{"stems beside words", "en", "Insured persons pay premiums", "insured|insur|persons|person|pay|premiums|premium"},
		{"irregular", "en", "teeth paid children", "teeth|tooth|paid|pay|children|child"},
		{"british", "en", "colour centre travelled", "colour|color|centre|center|travelled|travel"},
		{"stop words have no stem", "en", "these having", "these|having"},
		{"possessive", "en", "plan's members’ dog’s", "plan|members|member|dog"},
		{"hyphens", "en", "e-mail", "e|mail|email"},
		{"code", "en", "H5427-003", "h5427|003|h5427003"},
		{"label", "en", "Part D", "part|d|part d"},
		{"label with a number", "en", "Chapter 9", "chapter|9|chapter 9"},
		{"no label in lower case", "en", "vitamin d", "vitamin|d"},
		{"amount", "en", "$1,500.00", "1500|$1500"},
		{"amount in German", "de", "1.500,00 €", "1500"},
		{"cents", "en", "$12.50", "12.5|$12.5"},
		{"thousands or decimals", "en", "1.500", "1500|1.5"},
		{"percent", "en", "20%", "20|20%"},
		{"fraction", "en", "24/7", "24|7|24/7"},
		{"date", "de", "12.05.2024", "12|05|2024|12.05.2024"},
		{"iso date", "en", "2024-05-12", "2024|05|12|2024-05-12"},
		{"address", "", "Jane.Doe@example.org", "jane|doe|jane.doe|example|org|example.org|jane.doe@example.org"},
		{"link", "", "https://a.org/x-y?q=1", "https|a|org|a.org|x|y|q|1|https://a.org/xy?q=1|xy"},
		{"acronym", "", "U.S.A.", "usa|u.s.a"},
		{"ampersand", "", "AT&T", "at|t|at&t"},
		{"plus signs", "", "C++ C#", "c|c++|c|c#"},
		{"snake", "", "max_tokens", "max|tokens|max_tokens"},
		{"elision", "fr", "l'assurance qu’elle", "assurance|assur|elle"},
		{"name with an apostrophe", "", "O'Connor", "o|connor|oconnor"},
		{"umlauts", "de", "Größe Münzen", "grosse|gross|munzen|munz"},
		{"compound with a joint", "de", "Versicherungsbeitrag", "versicherungsbeitrag|versicherung|versicher|beitrag"},
		{"accents", "es", "cotización", "cotizacion|cotiz"},
		{"turkish", "tr", "İSTANBUL ILIK", "istanbul|ilik"},
		{"greek", "", "Οδός ΟΔΟΣ", "οδοσ|οδοσ"},
		{"cyrillic", "", "ещё мой", "еще|мой"},
		{"arabic", "", "العَرَبِيَّة أحمد كتـــاب", "العربيه|احمد|كتاب"},
		{"arabic digits", "", "١٢٣ ۴۵", "123|45"},
		{"full width", "", "ＡＢＣ１２３", "abc123"},
		{"half width", "", "ｶﾀｶﾅ", "カタ|タカ|カナ"},
		{"ligature", "", "ﬁnal", "final"},
		{"soft hyphen", "", "co\u00adpay", "copay"},
		{"chinese", "zh", "保险费", "保|险|保险|费|险费"},
		{"one character", "zh", "税", "税"},
		{"japanese", "ja", "保険です", "保|険|保険|険で|です"},
		{"mixed", "zh", "65天iPhone手机", "65|天|iphone|手|机|手机"},
		{"korean", "ko", "보험료", "보|험|보험|료|험료"},
		{"thai with marks", "th", "น้ำมัน", "น้ํา|ามั|มัน"},
		{"invalid utf-8", "", "ab\xffcd \xf0\x28", "ab|cd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(termsOf(c.lang, c.text), "|"); got != c.want {
				t.Errorf("Terms(%q) =\n %s, want\n %s", c.text, got, c.want)
			}
		})
	}
}

// TestStopLists counts the lists, for a line out of place would merge two.
func TestStopLists(t *testing.T) {
	a := analysis.New()
	for lang, word := range map[analysis.Lang]string{
		"en": "the", "de": "und", "fr": "les", "es": "los", "it": "gli", "pt": "não", "nl": "het", "sv": "och", "da": "ikke",
		"no": "ikkje", "fi": "ja", "hu": "és", "ro": "pentru", "tr": "için", "ru": "это", "ar": "إلى", "pl": "się", "cs": "které",
		"uk": "що", "fa": "برای",
	} {
		if q := a.Query(word, []analysis.Lang{lang}, nil); !q.StopWords {
			t.Errorf("%q is no stop word of %s", word, lang)
		}
		if q := a.Query("zxcvb", []analysis.Lang{lang}, nil); q.StopWords {
			t.Errorf("%q is a stop word of %s", "zxcvb", lang)
		}
	}
}

func TestDetect(t *testing.T) {
	for want, text := range map[analysis.Lang]string{
		"en": "The plan covers the cost of your care when you are in the hospital.",
		"de": "Die Versicherung übernimmt die Kosten, wenn Sie im Krankenhaus sind.",
		"fr": "L'assurance prend en charge les frais quand vous êtes à l'hôpital.",
		"es": "El seguro cubre los gastos cuando usted está en el hospital.",
		"it": "L'assicurazione copre le spese quando siete in ospedale, anche se non è urgente.",
		"pt": "O seguro cobre as despesas quando você está no hospital e não pode sair.",
		"nl": "De verzekering vergoedt de kosten wanneer u in het ziekenhuis bent.",
		"sv": "Försäkringen täcker kostnaderna när du är på sjukhus och inte kan arbeta.",
		"da": "Forsikringen dækker udgifterne, når du er på hospitalet og ikke kan arbejde. Hvad med mig?",
		"fi": "Vakuutus korvaa kulut, kun olet sairaalassa ja et voi olla töissä.",
		"hu": "A biztosítás fedezi a költségeket, ha Ön kórházban van, és nem tud dolgozni.",
		"tr": "Sigorta, hastanede olduğunuz zaman bu masrafları ve daha çok şeyi karşılar.",
		"ru": "Страховка покрывает расходы, когда вы находитесь в больнице.",
		"uk": "Страховка покриває витрати, коли ви перебуваєте у лікарні та що далі.",
		"ar": "يغطي التأمين التكاليف عندما تكون في المستشفى.",
		"fa": "بیمه هزینه ها را وقتی که در بیمارستان هستید می پردازد چگونه",
		"zh": "当您住院时，保险将支付费用。",
		"ja": "入院中の費用は保険で支払われます。",
		"ko": "입원하면 보험에서 비용을 지불합니다.",
		"th": "ประกันจ่ายค่าใช้จ่ายเมื่อคุณอยู่ในโรงพยาบาล",
		"":   "0123 456 -- 789",
	} {
		if got := analysis.New().Detect(text); got != want {
			t.Errorf("Detect(%q) = %q, want %q", text, got, want)
		}
	}
	if got := analysis.New().Detect("Parking permit list"); got != "en" {
		t.Errorf("short title: %q, want en", got)
	}
	if got := analysis.New().Detect(strings.Repeat("Lorem ipsum dolor sit amet consectetur ", 30)); got != "" {
		t.Errorf("long text of no known language: %q", got)
	}
}

// exact returns the first alternative of every group.
func exact(q analysis.Query) string {
	var out []string
	for _, g := range q.Groups {
		out = append(out, g[0].Term)
	}
	return strings.Join(out, "|")
}

func TestQuery(t *testing.T) {
	en := []analysis.Lang{"en"}
	known := func(words ...string) func(string) bool {
		return func(t string) bool { return slices.Contains(words, t) }
	}
	for _, c := range []struct {
		name  string
		text  string
		langs []analysis.Lang
		known func(string) bool
		want  string
	}{
		{"question words are left out", "How many chiropractor visits do I get each year?", en, nil, "chiropractor|visits|year"},
		{"how long", "How long can I appeal?", en, nil, "appeal"},
		{"only stop words", "What is it?", en, nil, "what|is|it"},
		{"no words", "?!", en, nil, ""},
		{"label", "part d limit", en, nil, "part|d|part d|limit"},
		{"no label of an article", "appeal a decision", en, nil, "appeal|decision"},
		{"german", "Wie hoch ist die Selbstbeteiligung?", []analysis.Lang{"de"}, nil, "hoch|selbstbeteiligung"},
		{"one stop word in several languages", "war crimes", []analysis.Lang{"de", "en"}, nil, "war|crimes"},
		{"language of the question", "Was ist das Ende?", []analysis.Lang{"de", "en"}, nil, "ende"},
		{"forms of a word are one word", "plan plans planning", en, nil, "plan"},
		{"compound of known words", "Zahnarztbesuch", []analysis.Lang{"de"}, known("zahnarzt", "besuch"), "zahnarztbesuch|zahnarzt|besuch"},
		{"compound of unknown words", "Zahnarztbesuch", []analysis.Lang{"de"}, known("zahnarzt"), "zahnarztbesuch"},
		{"written as one word", "health care", en, known("healthcare"), "health|care|healthcare"},
		{"chinese", "保险是什么", []analysis.Lang{"zh"}, nil, "保险|险是"},
		{"one han character", "税", []analysis.Lang{"zh"}, nil, "税"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := exact(analysis.New().Query(c.text, c.langs, c.known)); got != c.want {
				t.Errorf("Query(%q) = %s, want %s", c.text, got, c.want)
			}
		})
	}
	if q := analysis.New().Query("what is the", en, nil); !q.StopWords {
		t.Error("StopWords is not set")
	}
}

func TestQueryAlternatives(t *testing.T) {
	q := analysis.New().Query("Münzen", []analysis.Lang{"en", "de", "de"}, nil)
	var got []string
	for _, alt := range q.Groups[0] {
		got = append(got, alt.Term)
		if alt.Weight <= 0 || alt.Weight > 1 {
			t.Errorf("%q weighs %v", alt.Term, alt.Weight)
		}
	}
	for _, want := range []string{"munzen", "munz", "muenzen", "muenz"} {
		if !slices.Contains(got, want) {
			t.Errorf("alternatives %v lack %q", got, want)
		}
	}
}

func TestLongQuestion(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		b.WriteString("w" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + " ")
	}
	q := analysis.New().Query(b.String(), []analysis.Lang{"en"}, nil)
	if len(q.Groups) != analysis.MaxGroups || q.Ignored < 8_000 {
		t.Errorf("%d groups, %d ignored", len(q.Groups), q.Ignored)
	}
	for _, g := range q.Groups {
		if len(g) > 16 {
			t.Errorf("a group of %d alternatives", len(g))
		}
	}
}

// TestHostileText checks the bounds of terms on text made to break them. It
// would take hours if anything were quadratic.
func TestHostileText(t *testing.T) {
	const n = 1 << 20
	for name, text := range map[string]string{
		"one word of 10 MB":        strings.Repeat("a", 10*n),
		"combining marks":          "e" + strings.Repeat("\u0301", n),
		"marks on every letter":    strings.Repeat("a\u0301\u0302\u0303", n/4),
		"hyphens":                  strings.Repeat("a-", n),
		"dots":                     strings.Repeat("a.", n),
		"apostrophes":              strings.Repeat("a'", n),
		"digits":                   strings.Repeat("1", n),
		"digits and commas":        strings.Repeat("1,", n),
		"thousands":                strings.Repeat(",000", n),
		"han":                      strings.Repeat("保", n),
		"thai marks":               strings.Repeat("ก\u0e34\u0e35\u0e36\u0e37\u0e38\u0e39", n/8),
		"invalid":                  strings.Repeat("\xff\xfe", n),
		"half a rune":              strings.Repeat("\xe4\xbf", n),
		"grows under NFKC":         strings.Repeat("\ufdfa", n/8),
		"joiners":                  strings.Repeat("a\u200d", n),
		"a letter then joiners":    "a" + strings.Repeat("\u200d", n),
		"mid letters and marks":    strings.Repeat("a:\u0301\u0301\u0301", n/4),
		"mixed scripts":            strings.Repeat("aж保กa", n/8),
		"one link":                 "https://" + strings.Repeat("a/b?c=d&", n/4),
		"currency":                 strings.Repeat("$", n),
		"emoji":                    strings.Repeat("👩‍👩‍👧", n/16),
		"regional indicators":      strings.Repeat("🇦", n/4),
		"katakana and underscores": strings.Repeat("カ_", n/4),
		"arabic":                   strings.Repeat("والمستشفيات", n/16),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := analysis.New()
			checkTerms(t, a, a.Detect(text), text)
			checkTerms(t, a, analysis.German, text)
			a.Query(text, []analysis.Lang{"en", "de", "ar"}, func(string) bool { return true })
		})
	}
}

func checkTerms(t *testing.T, a *analysis.Analyzer, lang analysis.Lang, text string) {
	t.Helper()
	length := a.Document(lang).Terms(text, func(term string) {
		if term == "" || utf8.RuneCountInString(term) > 64 || !utf8.ValidString(term) {
			t.Fatalf("term %q", term)
		}
	})
	if length < 0 || length > 18*len(text) { // NFKC makes eighteen characters of one
		t.Fatalf("%d bytes of text have %d words", len(text), length)
	}
}

func FuzzTerms(f *testing.F) {
	for _, s := range []string{
		"", "The plan's $1,500.00 co-pay (H5427-003)", "Versicherungsbeiträge", "保険はいくらですか", "ประกัน", "كتـــاب", "a@b.c/d?e=f",
		"\xff\xfe", "l’été n'est", "1.2.3,4'5", "C++ U.S.A.", "e\u0301\u0301", "ﷺ", "ı İ ß ﬃ", "👩‍👩‍👧",
	} {
		f.Add(s, "en")
		f.Add(s, "de")
		f.Add(s, "ar")
		f.Add(s, "tr")
	}
	a := analysis.New()
	f.Fuzz(func(t *testing.T, text, lang string) {
		checkTerms(t, a, analysis.Lang(lang), text)
		checkTerms(t, a, a.Detect(text), text)
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "What is $1,500?", `" OR 1=1 --`, "a* NEAR(b)", "保险是什么", "Haustür-Schlüssel", "part d", "how far", "\xff", "O'Connor's"} {
		f.Add(s)
	}
	a := analysis.New()
	langs := []analysis.Lang{"en", "de", "fr", "ar", "tr", "zh", "ru", ""}
	f.Fuzz(func(t *testing.T, text string) {
		for _, known := range []func(string) bool{nil, func(s string) bool { return len(s)%2 == 0 }} {
			q := a.Query(text, langs, known)
			if len(q.Groups) > analysis.MaxGroups || q.Ignored < 0 {
				t.Fatalf("%d groups, %d ignored", len(q.Groups), q.Ignored)
			}
			seen := make(map[string]bool)
			for _, g := range q.Groups {
				if len(g) == 0 || len(g) > 16 {
					t.Fatalf("group %v", g)
				}
				for _, alt := range g {
					if alt.Term == "" || utf8.RuneCountInString(alt.Term) > 64 || !(alt.Weight > 0 && alt.Weight <= 1) || seen[alt.Term] {
						t.Fatalf("alternative %+v in %v", alt, q.Groups)
					}
					seen[alt.Term] = true
				}
			}
		}
	})
}

// TestWordsFindThemselves asks for every word of a text, as it is typed there.
func TestWordsFindThemselves(t *testing.T) {
	for _, text := range []string{
		"Out-of-pocket $1,500.00 H5427-003 jane@example.org https://www.example.org/a-b?c=1 12.05.2024 20% O'Connor U.S.A. C++",
		"Größenordnung Versicherungsbeiträge Straße Übernahme 1.500,00",
		"l'assurance qualité œuvre naïve", "İstanbul ışık ILIK", "保険料は いくら", "ประกันสุขภาพ", "보험료는", "المستشفى كتـــاب", "ещё йод",
		"ＡＢＣ ﬁnal ｶﾀｶﾅ",
	} {
		a := analysis.New()
		lang := a.Detect(text)
		have := make(map[string]bool)
		a.Document(lang).Terms(text, func(term string) { have[term] = true })
		for _, w := range strings.Fields(text) {
			q := a.Query(w, []analysis.Lang{lang}, nil)
			if len(q.Groups) == 0 {
				t.Errorf("%q gives no groups", w)
			}
			for _, g := range q.Groups {
				if !slices.ContainsFunc(g, func(alt analysis.Alternative) bool { return have[alt.Term] }) {
					t.Errorf("%q (%s): nothing of %v is in the document", w, lang, g)
				}
			}
		}
	}
}

func BenchmarkTerms(b *testing.B) {
	text := strings.Repeat("The plan covers up to 12 visits in 90 days for chronic low back pain under these circumstances; "+
		"your copayment is $90 for each out-of-network visit, unless you are admitted to the hospital within 24 hours. ", 500)
	a := analysis.New()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		a.Document(analysis.English).Terms(text, func(string) { n++ })
	}
}
