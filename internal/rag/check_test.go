package rag

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestStoresRefuse(t *testing.T) {
	m := Model{"m", 2}
	sum := strings.Repeat("0a", 32)
	vector := func(v ...float32) error { return m.CheckVectors([]int{0}, [][]float32{v}) }
	for name, tt := range map[string]struct {
		err   error
		field string // at fault; empty: nothing is
	}{
		"a model":                      {m.Check(), ""},
		"no model":                     {Model{}.Check(), "model"},
		"a long name":                  {Model{strings.Repeat("m", maxModelName+1), 2}.Check(), "model"},
		"a name that is no text":       {Model{"\xff", 2}.Check(), "model"},
		"too many dimensions":          {Model{"m", MaxDimensions + 1}.Check(), "model"},
		"a vector":                     {vector(0.6, 0.8), ""},
		"a long one":                   {vector(1, 1), "vectors"},
		"none of a number":             {vector(float32(math.NaN()), 0), "vectors"},
		"one of another model":         {vector(1), "vectors"},
		"more vectors than passages":   {m.CheckVectors(nil, [][]float32{{1, 0}}), "vectors"},
		"a question":                   {Query{Text: "q", Limit: 1}.Check(), ""},
		"for nothing":                  {Query{Text: "q"}.Check(), "limit"},
		"with a vector of no model":    {Query{Vector: []float32{1}, Limit: 1}.Check(), "model"},
		"with one of another":          {Query{Vector: []float32{1}, Model: m, Limit: 1}.Check(), "vectors"},
		"a document":                   {NewDocument{Filename: "f", SHA256: sum}.Check(), ""},
		"without a name":               {NewDocument{SHA256: sum}.Check(), "filename"},
		"with one that is no text":     {NewDocument{Filename: "\xff", SHA256: sum}.Check(), "filename"},
		"with a long one":              {NewDocument{Filename: strings.Repeat("f", MaxFilenameBytes+1), SHA256: sum}.Check(), "filename"},
		"with a short hash":            {NewDocument{Filename: "f", SHA256: sum[1:]}.Check(), "sha256"},
		"with a hash in large letters": {NewDocument{Filename: "f", SHA256: strings.ToUpper(sum)}.Check(), "sha256"},
		"a page":                       {Page{Limit: maxStoredPage, Status: Ready}.Check(), ""},
		"a large one":                  {Page{Limit: maxStoredPage + 1}.Check(), "limit"},
		"of nothing":                   {Page{}.Check(), "limit"},
		"of no status":                 {Page{Limit: 1, Status: "lost"}.Check(), "status"},
	} {
		field := ""
		if told := (*Error)(nil); errors.As(tt.err, &told) && told.Code == Invalid {
			field = told.Field
		}
		if field != tt.field || (tt.err == nil) != (tt.field == "") {
			t.Errorf("%s: %v, want the field %q", name, tt.err, tt.field)
		}
	}
}

func TestCursors(t *testing.T) {
	key := []byte("0123456789abcdef")
	mine, err := NewCursors(key, [8]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	others, _ := NewCursors(key, [8]byte{2})
	for _, place := range []int64{1, 2, 1 << 61} {
		cursor := mine.Write(place)
		if got, err := mine.Read(cursor); err != nil || got != place {
			t.Errorf("%d: %d, %v", place, got, err)
		}
		if _, err := others.Read(cursor); CodeOf(err) != Invalid {
			t.Errorf("another user's: %v", err)
		}
	}
	for _, cursor := range []string{"", "1", "made up", mine.Write(1) + "A", strings.Repeat("A", 22)} {
		if _, err := mine.Read(cursor); CodeOf(err) != Invalid {
			t.Errorf("%q: %v", cursor, err)
		}
	}
	if _, err := NewCursors(key[1:], [8]byte{1}); err == nil {
		t.Error("a short key")
	}
}
