package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/internal/rag"
)

func testStage(t *testing.T, s rag.Store) {
	ctx := t.Context()
	d := add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	_, _, err := s.Unembedded(ctx, job, model(), 1)
	wantCode(t, err, rag.Conflict, "Unembedded before Stage")
	wantCode(t, s.PutVectors(ctx, job, model(), []int{0}, [][]float32{vectorOf("x", model().Dim)}), rag.Conflict, "PutVectors before Stage")
	wantCode(t, s.Publish(ctx, job, rag.Model{}), rag.Conflict, "Publish before Stage")
	x := rag.Extracted{MediaType: "application/pdf", Title: "Der Titel", Pages: 12, Warning: "page 7 of 12 cannot be read", Chunks: []rag.Chunk{
		{Index: 0, Content: "no section", Tokens: 2},
		{Index: 1, Content: "in a section", SectionPath: []int{4, 2, 1}, SectionTitle: "Four > Two > One", PageStart: 3, PageEnd: 4, Tokens: 3},
		{Index: 2, Content: "", SectionPath: []int{}, Tokens: 0},
	}}
	if err := s.Stage(ctx, job, x); err != nil {
		t.Fatal(err)
	}
	got := get(t, s, alice, d.ID)
	if got.MediaType != x.MediaType || got.Title != x.Title || got.Pages != 12 || got.Warning != x.Warning || got.Chunks != 3 || got.Tokens != 5 || got.Status.Final() {
		t.Errorf("staged: %+v", got)
	}
	if c := search(t, s, alice, rag.Query{Text: "section"}); c.Chunks != 0 || len(c.Lexical) != 0 {
		t.Errorf("a staged document is found: %+v", c)
	}
	if chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: d.ID, Index: 0}}); err != nil || len(chunks) != 0 {
		t.Errorf("a staged chunk is read: %v, %v", chunks, err)
	}
	if err := s.Publish(ctx, job, rag.Model{}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, alice, d.ID); got.Warning != x.Warning {
		t.Errorf("ready with the warning %q", got.Warning)
	}
	chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: d.ID, Index: 0}, {DocID: d.ID, Index: 1}, {DocID: d.ID, Index: 2}})
	if err != nil || len(chunks) != 3 {
		t.Fatalf("Chunks: %v, %v", chunks, err)
	}
	for i, c := range chunks {
		want := x.Chunks[i]
		if c.Content != want.Content || !slices.Equal(c.SectionPath, want.SectionPath) || (c.SectionPath == nil) != (want.SectionPath == nil) ||
			c.SectionTitle != want.SectionTitle || c.PageStart != want.PageStart || c.PageEnd != want.PageEnd || c.Tokens != want.Tokens ||
			c.DocID != d.ID || c.Filename != "a.txt" || c.Index != i || c.ID == "" {
			t.Errorf("chunk %d: %+v, want %+v", i, c, want)
		}
	}
}

func testStageAgain(t *testing.T, s rag.Store) {
	ctx := t.Context()
	add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("old heron\nold weir\nold reed"))); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVectors(ctx, job, model(), []int{0, 1}, [][]float32{vectorOf("a", model().Dim), vectorOf("b", model().Dim)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stage(ctx, job, extracted([]byte("new heron\nnew weir"))); err != nil {
		t.Fatal(err)
	}
	chunks, left, err := s.Unembedded(ctx, job, model(), 10)
	if err != nil || left != 2 || len(chunks) != 2 || chunks[0].Content != "new heron" {
		t.Errorf("Unembedded: %v, %d, %v", chunks, left, err)
	}
	if err := work(t, s, withStaged(job), model()); err != nil {
		t.Fatal(err)
	}
	c := search(t, s, alice, rag.Query{Text: "old heron reed", Vector: vectorOf("new weir", model().Dim), Model: model()})
	if len(c.Lexical) != 1 || len(c.Vector) != 2 || c.Chunks != 2 || c.Vector[0].Index != 1 {
		t.Errorf("found %+v", c)
	}
}

func testUnembedded(t *testing.T, s rag.Store) {
	ctx := t.Context()
	add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9"))); err != nil {
		t.Fatal(err)
	}
	putAt := func(indexes ...int) error {
		var vectors [][]float32
		for _, i := range indexes {
			vectors = append(vectors, vectorOf(fmt.Sprint(i), model().Dim))
		}
		return s.PutVectors(ctx, job, model(), indexes, vectors)
	}
	want := func(limit, wantLeft int, want ...int) {
		t.Helper()
		chunks, left, err := s.Unembedded(ctx, job, model(), limit)
		var got []int
		for _, c := range chunks {
			got = append(got, c.Index)
		}
		if err != nil || left != wantLeft || !slices.Equal(got, want) {
			t.Errorf("Unembedded: %v, %d left, %v; want %v, %d left", got, left, err, want, wantLeft)
		}
	}
	want(3, 10, 0, 1, 2)
	if err := putAt(1, 5); err != nil {
		t.Fatal(err)
	}
	want(3, 8, 0, 2, 3)
	if err := putAt(0, 1, 2, 3); err != nil { // 1 once more
		t.Fatal(err)
	}
	want(100, 5, 4, 6, 7, 8, 9)
	wantCode(t, s.Publish(ctx, job, model()), rag.Conflict, "Publish with chunks that have no vector")
	if err := putAt(9, 8, 7, 6, 4); err != nil {
		t.Fatal(err)
	}
	want(100, 0)
	// What cannot be right is refused whole.
	unit := vectorOf("x", model().Dim)
	for _, test := range []struct {
		name    string
		indexes []int
		vectors [][]float32
	}{
		{"no such chunk", []int{0, 10}, [][]float32{unit, unit}},
		{"negative", []int{-1}, [][]float32{unit}},
		{"too few vectors", []int{0, 1}, [][]float32{unit}},
		{"wrong dimension", []int{0}, [][]float32{unit[1:]}},
		{"zero", []int{0}, [][]float32{make([]float32, model().Dim)}},
	} {
		wantCode(t, s.PutVectors(ctx, job, model(), test.indexes, test.vectors), rag.Invalid, test.name)
	}
	if err := s.Publish(ctx, job, model()); err != nil {
		t.Fatal(err)
	}
	c := search(t, s, alice, rag.Query{Vector: vectorOf("7", model().Dim), Model: model(), Limit: 1})
	if len(c.Vector) != 1 || c.Vector[0].Index != 7 || c.Vector[0].Cosine < 0.9999 {
		t.Errorf("found %+v", c.Vector)
	}
}

func testPublish(t *testing.T, s rag.Store) {
	d := ingest(t, s, alice, "a.txt", "one", "two", "three")
	if d.Status != rag.Ready || d.Chunks != 3 || d.Tokens == 0 || d.Pages != 3 || d.Model != model() || d.Error != nil || d.Waiting != "" {
		t.Errorf("ready: %+v", d)
	}
	pending(t, s, 0, 0)
	if job, err := s.Lease(t.Context(), time.Hour); err != nil || job != nil {
		t.Errorf("leased a ready document: %v, %v", job, err)
	}
}

func testTwoModels(t *testing.T, s rag.Store) {
	ctx := t.Context()
	small, large := rag.Model{Name: "words", Dim: 16}, rag.Model{Name: "words", Dim: 48}
	sameDim := rag.Model{Name: "other words", Dim: 16}
	ingestAs(t, s, alice, small, upload("small.txt", "the heron"))
	ingestAs(t, s, alice, large, upload("large.txt", "the weir"))
	ingestAs(t, s, alice, rag.Model{}, upload("none.txt", "the reed"))

	// One that was half done with one model goes on with another.
	both := add(t, s, alice, upload("both.txt", "the otter", "the trout"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("the otter\nthe trout"))); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, job, large, []rag.Chunk{{Index: 0, Content: "the otter"}}); err != nil {
		t.Fatal(err)
	}
	if chunks, left, err := s.Unembedded(ctx, job, sameDim, 10); err != nil || left != 2 || len(chunks) != 2 {
		t.Errorf("Unembedded of the other model: %v, %d, %v", chunks, left, err)
	}
	if err := put(t, s, job, sameDim, []rag.Chunk{{Index: 0, Content: "the otter"}, {Index: 1, Content: "the trout"}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Publish(ctx, job, large), rag.Conflict, "Publish with a model that half the chunks have")
	wantCode(t, s.Publish(ctx, job, small), rag.Conflict, "Publish with a model that no chunk has")
	if err := s.Publish(ctx, job, sameDim); err != nil {
		t.Fatal(err)
	}
	if d := get(t, s, alice, both.ID); d.Model != sameDim {
		t.Errorf("published with %+v", d.Model)
	}
	for _, test := range []struct {
		model    rag.Model
		want     []string
		noVector int
	}{
		{small, []string{"small.txt:0"}, 4},
		{large, []string{"large.txt:0"}, 4},
		{sameDim, []string{"both.txt:0", "both.txt:1"}, 3},
		{rag.Model{Name: "unheard of", Dim: 16}, nil, 5},
		{rag.Model{Name: "words", Dim: 17}, nil, 5},
	} {
		c := search(t, s, alice, rag.Query{Text: "the", Vector: vectorOf("the otter", test.model.Dim), Model: test.model})
		got := found(t, s, alice, c.Vector)
		slices.Sort(got)
		if !slices.Equal(got, test.want) || c.NoVector != test.noVector || c.Chunks != 5 {
			t.Errorf("%v: %v, %d of %d without; want %v, %d of 5", test.model, got, c.NoVector, c.Chunks, test.want, test.noVector)
		}
		with := 0
		for _, hit := range c.Lexical {
			if hit.HasCosine {
				with++
			}
		}
		if len(c.Lexical) != 5 || with != len(test.want) {
			t.Errorf("%v: %d lexical hits, %d with a cosine; want 5, %d", test.model, len(c.Lexical), with, len(test.want))
		}
	}
}

func testWithoutVectors(t *testing.T, s rag.Store) {
	d := ingestAs(t, s, alice, rag.Model{}, upload("a.txt", "the heron", "the weir"))
	if d.Status != rag.Ready || d.Model != (rag.Model{}) {
		t.Errorf("ready: %+v", d)
	}
	c := search(t, s, alice, rag.Query{Text: "heron"})
	if len(c.Lexical) != 1 || c.Lexical[0].HasCosine || c.Chunks != 2 || c.NoVector != 0 || c.Vector != nil {
		t.Errorf("found %+v", c)
	}
	c = search(t, s, alice, rag.Query{Vector: vectorOf("x", model().Dim), Model: model()})
	if len(c.Vector) != 0 || c.Chunks != 2 || c.NoVector != 2 {
		t.Errorf("found %+v", c)
	}
}
