package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"weir/internal/rag"
)

func nanValue() float64 { return math.NaN() }

func testHybrid(t *testing.T, s rag.Store) {
	ingest(t, s, alice, "a.txt", "herons fish below the weir", "an otter sleeps", "reeds grow along the bank")
	ingest(t, s, alice, "b.txt", "the weir was built in stone", "trout swim upstream")
	q := rag.Query{Text: "weir", Vector: vectorOf("trout swim upstream", model().Dim), Model: model()}
	c := search(t, s, alice, q)
	if c.Chunks != 5 || c.NoVector != 0 || c.Note != "" {
		t.Errorf("%d chunks, %d without vector, note %q", c.Chunks, c.NoVector, c.Note)
	}
	got := found(t, s, alice, c.Lexical)
	slices.Sort(got)
	if want := []string{"a.txt:0", "b.txt:0"}; !slices.Equal(got, want) {
		t.Errorf("lexical %v, want %v", got, want)
	}
	if got := found(t, s, alice, c.Vector); len(got) != 5 || got[0] != "b.txt:1" {
		t.Errorf("vector %v, want all, b.txt:1 first", got)
	}
	lexical := map[rag.Ref]float64{}
	for i, hit := range c.Lexical {
		lexical[hit.Ref] = hit.Lexical
		if hit.Lexical <= 0 || !hit.HasCosine || (i > 0 && hit.Lexical > c.Lexical[i-1].Lexical) {
			t.Errorf("lexical hit %d: %+v", i, hit)
		}
	}
	cosines := map[rag.Ref]float64{}
	for i, hit := range c.Vector {
		cosines[hit.Ref] = hit.Cosine
		if !hit.HasCosine || hit.Cosine < -1 || hit.Cosine > 1 || (i > 0 && hit.Cosine > c.Vector[i-1].Cosine) || hit.Lexical != lexical[hit.Ref] {
			t.Errorf("vector hit %d: %+v", i, hit)
		}
	}
	if math.Abs(c.Vector[0].Cosine-1) > 1e-5 {
		t.Errorf("cosine to itself: %v", c.Vector[0].Cosine)
	}
	for _, hit := range c.Lexical {
		if math.Abs(hit.Cosine-cosines[hit.Ref]) > 1e-5 {
			t.Errorf("cosine %v in one half, %v in the other", hit.Cosine, cosines[hit.Ref])
		}
	}
	// One half is not asked for.
	if c := search(t, s, alice, rag.Query{Text: "weir"}); len(c.Lexical) != 2 || len(c.Vector) != 0 || c.Lexical[0].HasCosine {
		t.Errorf("lexical alone: %+v", c)
	}
	if c := search(t, s, alice, rag.Query{Vector: q.Vector, Model: model()}); len(c.Lexical) != 0 || len(c.Vector) != 5 {
		t.Errorf("vector alone: %+v", c)
	}
	if c := search(t, s, alice, rag.Query{}); len(c.Lexical) != 0 || len(c.Vector) != 0 || c.Chunks != 5 {
		t.Errorf("neither: %+v", c)
	}
	q.Limit = 1
	if c := search(t, s, alice, q); len(c.Lexical) != 1 || len(c.Vector) != 1 || c.Chunks != 5 {
		t.Errorf("limit 1: %+v", c)
	}
	if c := search(t, s, "nobody", q); len(c.Lexical)+len(c.Vector)+c.Chunks+c.NoVector != 0 {
		t.Errorf("of nobody: %+v", c)
	}
	if c := search(t, s, alice, rag.Query{Text: "zeppelin"}); len(c.Lexical) != 0 || c.Chunks != 5 {
		t.Errorf("a word that is nowhere: %+v", c)
	}
}

// testNearest compares the vector half with the plain sum over all vectors.
func testNearest(t *testing.T, s rag.Store) {
	const documents, each = 12, 200
	all := map[string][]string{}
	for i := range documents {
		var lines []string
		for j := range each {
			lines = append(lines, fmt.Sprintf("line %d of %d", j, i))
		}
		all[ingest(t, s, alice, fmt.Sprintf("%d.txt", i), lines...).ID] = lines
	}
	type hit struct {
		ref    rag.Ref
		cosine float64
	}
	for n := range 20 {
		q := vectorOf(fmt.Sprint("question ", n), model().Dim)
		var want []hit
		for id, lines := range all {
			for j, line := range lines {
				v, sum := vectorOf(line, model().Dim), 0.0
				for i := range v {
					sum += float64(v[i]) * float64(q[i])
				}
				want = append(want, hit{rag.Ref{DocID: id, Index: j}, sum})
			}
		}
		slices.SortFunc(want, func(a, b hit) int { return cmp.Compare(b.cosine, a.cosine) })
		c := search(t, s, alice, rag.Query{Vector: q, Model: model(), Limit: 10})
		if len(c.Vector) != 10 {
			t.Fatalf("%d hits", len(c.Vector))
		}
		missed := 0
		for i, got := range c.Vector {
			if got.Cosine < want[9].cosine-1e-5 {
				missed++
			}
			if i == 0 && math.Abs(got.Cosine-want[0].cosine) > 1e-5 {
				t.Errorf("question %d: best %v, want %v", n, got.Cosine, want[0].cosine)
			}
		}
		if missed > 0 {
			t.Errorf("question %d: %d of the best 10 missed", n, missed)
		}
	}
}

func testTies(t *testing.T, s rag.Store) {
	var want []string
	for i := range 6 {
		// The same text everywhere, but for one line that makes it another document.
		ingest(t, s, alice, "same.txt", "the heron waits", "the heron waits", fmt.Sprintf("number%d", i))
	}
	docs := pages(t, s, alice, rag.Page{Limit: 10})
	slices.Reverse(docs) // oldest first
	for _, d := range docs {
		want = append(want, fmt.Sprint(d.ID, 0), fmt.Sprint(d.ID, 1))
	}
	q := rag.Query{Text: "heron", Vector: vectorOf("the heron waits", model().Dim), Model: model()}
	for _, limit := range []int{1, 5, 7, 12, 100} {
		q.Limit = limit
		c := search(t, s, alice, q)
		for half, hits := range map[string][]rag.Candidate{"lexical": c.Lexical, "vector": c.Vector} {
			var got []string
			for _, hit := range hits {
				got = append(got, fmt.Sprint(hit.DocID, hit.Index))
			}
			got = got[:min(len(got), len(want))]
			if n := min(limit, len(want)); !slices.Equal(got, want[:n]) {
				t.Errorf("%s, limit %d: %v, want oldest document first, then by index: %v", half, limit, got, want[:n])
			}
		}
	}
}

func testFilter(t *testing.T, s rag.Store) {
	a := ingest(t, s, alice, "a.txt", "heron one", "heron two")
	b := ingest(t, s, alice, "b.txt", "heron three")
	ingest(t, s, alice, "c.txt", "heron four", "heron five", "heron six")
	none := ingestAs(t, s, alice, rag.Model{}, upload("d.txt", "heron seven", "reed"))
	foreign := ingest(t, s, bob, "a.txt", "heron foreign")
	queued := add(t, s, alice, upload("q.txt", "heron eight"))
	for _, test := range []struct {
		name             string
		ids              []string
		chunks, noVector int
		want             []string
	}{
		{"one", []string{a.ID}, 2, 0, []string{"a.txt:0", "a.txt:1"}},
		{"two", []string{b.ID, a.ID}, 3, 0, []string{"a.txt:0", "a.txt:1", "b.txt:0"}},
		{"twice", []string{b.ID, b.ID}, 1, 0, []string{"b.txt:0"}},
		{"without vectors", []string{none.ID, b.ID}, 3, 2, []string{"b.txt:0"}},
		{"foreign", []string{foreign.ID}, 0, 0, nil},
		{"unknown", []string{"unknown", "", "\xff"}, 0, 0, nil},
		{"not ready", []string{queued.ID}, 0, 0, nil},
		{"mixed", []string{foreign.ID, b.ID, "unknown"}, 1, 0, []string{"b.txt:0"}},
	} {
		c := search(t, s, alice, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Documents: test.ids})
		got := found(t, s, alice, c.Vector)
		slices.Sort(got)
		if c.Chunks != test.chunks || c.NoVector != test.noVector || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %d without vector of %d; want %v, %d of %d", test.name, got, c.NoVector, c.Chunks, test.want, test.noVector, test.chunks)
		}
		want := len(test.want)
		if test.noVector > 0 {
			want++ // heron seven
		}
		if len(c.Lexical) != want {
			t.Errorf("%s: %d lexical hits, want %d", test.name, len(c.Lexical), want)
		}
	}
}

func testChunks(t *testing.T, s rag.Store) {
	a := ingest(t, s, alice, "a.txt", "one", "two", "three")
	b := ingest(t, s, alice, "b.txt", "four")
	refs := []rag.Ref{
		{DocID: b.ID, Index: 0},
		{DocID: a.ID, Index: 2},
		{DocID: a.ID, Index: 3},
		{DocID: a.ID, Index: -1},
		{DocID: a.ID, Index: math.MaxInt32},
		{DocID: a.ID, Index: 1 << 20},
		{DocID: "unknown", Index: 0},
		{DocID: "", Index: 0},
		{DocID: a.ID, Index: 0},
		{DocID: a.ID, Index: 0},
	}
	chunks, err := s.Chunks(t.Context(), alice, refs)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	seen := map[string]string{}
	for _, c := range chunks {
		got = append(got, c.Content)
		if other, twice := seen[c.ID]; twice && other != c.Content {
			t.Errorf("two chunks have the id %s", c.ID)
		}
		seen[c.ID] = c.Content
	}
	if want := []string{"four", "three", "one", "one"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if chunks, err := s.Chunks(t.Context(), alice, nil); err != nil || len(chunks) != 0 {
		t.Errorf("of no refs: %v, %v", chunks, err)
	}
	if chunks, err := s.Chunks(t.Context(), "nobody", refs); err != nil || len(chunks) != 0 {
		t.Errorf("of nobody: %v, %v", chunks, err)
	}
}

func testLanguages(t *testing.T, s rag.Store) {
	for _, test := range []struct {
		language string
		lines    []string
		ask      string
		want     int
	}{
		{"Chinese", []string{"本计划的年度免赔额为五百元。", "急诊室就诊需要支付共付额。", "牙科服务不在承保范围内。"}, "急诊共付额是多少?", 1},
		{"Japanese", []string{"年間の自己負担限度額は五万円です。", "救急外来の受診には自己負担金が必要です。", "歯科治療は補償の対象外です。"}, "歯科治療は補償されますか", 2},
		{"Thai", []string{"ค่าเสียหายส่วนแรกต่อปีคือห้าร้อยบาท", "การเข้าห้องฉุกเฉินต้องจ่ายค่าร่วม", "บริการทันตกรรมไม่อยู่ในความคุ้มครอง"}, "ห้องฉุกเฉินต้องจ่ายเท่าไร", 1},
		{"Arabic", []string{"المبلغ المقتطع السنوي هو خمسمائة دولار.", "زيارة غرفة الطوارئ تتطلب دفع مبلغ مشترك.", "خدمات الأسنان غير مشمولة في التغطية."}, "هل خدمات الأسنان مشمولة؟", 2},
		{"German", []string{"Die jährliche Selbstbeteiligung beträgt fünfhundert Euro.", "Für Besuche in der Notaufnahme wird eine Zuzahlung fällig.", "Zahnärztliche Leistungen sind nicht versichert."}, "Wie hoch sind die Zuzahlungen beim Besuch der Notaufnahme?", 1},
		{"English", []string{"The annual deductible is five hundred dollars.", "Emergency room visits require a copayment.", "Dental services are not covered."}, "is a dental service covered", 2},
	} {
		user := rag.User(test.language)
		ingestAs(t, s, user, rag.Model{}, upload(test.language+".txt", test.lines...))
		c := search(t, s, user, rag.Query{Text: test.ask})
		if len(c.Lexical) == 0 || c.Lexical[0].Index != test.want {
			t.Errorf("%s: %q found %+v, want passage %d first", test.language, test.ask, c.Lexical, test.want)
		}
		// And when all languages are one user's.
		n := upload("all-"+test.language+".txt", append(slices.Clone(test.lines), "·")...)
		d := ingestAs(t, s, "polyglot", rag.Model{}, n)
		c = search(t, s, "polyglot", rag.Query{Text: test.ask})
		if len(c.Lexical) == 0 || c.Lexical[0].Index != test.want || c.Lexical[0].DocID != d.ID {
			t.Errorf("%s among others: %q found %+v, want passage %d of %s first", test.language, test.ask, c.Lexical, test.want, d.ID)
		}
	}
}

func testUnicode(t *testing.T, s rag.Store) {
	for i, text := range []string{
		"计划 🏥 naïve Straße", "a\u0301e\u0308 \u202eright to left\u202c", "nul\x00inside", "%s %d {{.}} ' \" ; -- /* */", strings.Repeat("🦦", 100), "\u0000", "\ufffd\ufeff",
	} {
		user := rag.User(fmt.Sprintf("%s %d", firstBytes(text, 200), i))
		name := firstBytes(text, 900) + ".txt"
		n := upload(name, text, "second")
		d := ingest(t, s, user, n.Filename, text, "second")
		if d.Filename != name {
			t.Errorf("filename %q, want %q", d.Filename, name)
		}
		chunks, err := s.Chunks(t.Context(), user, []rag.Ref{{DocID: d.ID, Index: 0}})
		if err != nil || len(chunks) != 1 || chunks[0].Content != text || chunks[0].Filename != name {
			t.Errorf("%q came back as %+v, %v", text, chunks, err)
		}
		if got := pages(t, s, user, rag.Page{Limit: 5, Filename: name}); len(got) != 1 {
			t.Errorf("%q: %d documents of that name", name, len(got))
		}
		c := search(t, s, user, rag.Query{Text: text, Vector: vectorOf(text, model().Dim), Model: model()})
		if len(c.Vector) != 2 || c.Vector[0].Index != 0 {
			t.Errorf("%q: %+v", text, c.Vector)
		}
	}
	// What is not UTF-8 is stored as something that is.
	d := add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	x := extracted([]byte("bad \xff bytes"))
	x.Title = "\xfe"
	if err := s.Stage(t.Context(), job, x); err != nil {
		t.Fatal(err)
	}
	if err := work(t, s, withStaged(job), model()); err != nil {
		t.Fatal(err)
	}
	chunks, err := s.Chunks(t.Context(), alice, []rag.Ref{{DocID: d.ID}})
	if err != nil || len(chunks) != 1 || chunks[0].Content != "bad \ufffd bytes" {
		t.Errorf("%+v, %v", chunks, err)
	}
}

// firstBytes cuts a text without cutting a character.
func firstBytes(s string, n int) string { return strings.ToValidUTF8(s[:min(n, len(s))], "") }

func testOddInputs(t *testing.T, s rag.Store) {
	ctx := t.Context()
	// A document without passages, one of an empty passage, one of a huge one.
	d := add(t, s, alice, upload("none.txt", "raw"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, rag.Extracted{}); err != nil {
		t.Fatal(err)
	}
	if chunks, left, err := s.Unembedded(ctx, job, model(), 10); err != nil || left != 0 || len(chunks) != 0 {
		t.Errorf("Unembedded: %v, %d, %v", chunks, left, err)
	}
	if err := s.Publish(ctx, job, model()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, alice, d.ID); got.Status != rag.Ready || got.Chunks != 0 {
		t.Errorf("without passages: %+v", got)
	}
	ingest(t, s, alice, "empty.txt", "")
	ingest(t, s, alice, "huge.txt", strings.Repeat("the heron waits below the weir ", 100_000)+"needle")
	c := search(t, s, alice, rag.Query{Text: "needle", Vector: vectorOf("", model().Dim), Model: model()})
	if c.Chunks != 2 || len(c.Lexical) != 1 || len(c.Vector) != 2 {
		t.Errorf("found %+v", c)
	}
	for _, text := range []string{
		" ", "\x00", "\xff\xfe", "?!…", strings.Repeat("heron ", 50_000), strings.Repeat("x", 1<<20), "AND OR NOT NEAR(\"", "heron*", "🦦", strings.Repeat("\u0301", 10_000),
	} {
		if _, err := s.Candidates(ctx, alice, rag.Query{Text: text, Limit: 10}); err != nil {
			t.Errorf("a question of %d bytes (%q): %v", len(text), firstBytes(text, 20), err)
		}
	}
	if c := search(t, s, alice, rag.Query{Text: "heron", Vector: vectorOf("", model().Dim), Model: model(), Limit: math.MaxInt32}); len(c.Lexical) != 1 || len(c.Vector) != 2 {
		t.Errorf("a huge limit: %+v", c)
	}
	long := search(t, s, alice, rag.Query{Text: strings.Repeat("alpha beta gamma delta ", 500) + wordsOf(500)})
	if long.Note == "" {
		t.Error("most words of a question of 2,500 were left out and nothing says so")
	}
	if err := s.PutVectors(ctx, job, model(), nil, nil); err == nil {
		t.Error("PutVectors of nothing to a finished job succeeded")
	}
}

func wordsOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "word%c%c%c ", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26)
	}
	return b.String()
}
