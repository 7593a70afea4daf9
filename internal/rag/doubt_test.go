package rag

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestADocumentWithWrongVectors: an embedder that is right is believed though
// one document's vectors are wrong, when others show that; and one that is wrong
// is not, though it made some of them.
func TestADocumentWithWrongVectors(t *testing.T) {
	right, wrong := []float32{1, 0}, []float32{0, 1}
	of := func(vectors ...[]float32) (out []Sample) {
		for i, v := range vectors {
			out = append(out, Sample{Chunk: Chunk{DocID: strconv.Itoa(i), Content: "passage " + strconv.Itoa(i)}, Vector: v})
		}
		return out
	}
	tests := []struct {
		name   string
		others []Sample
		broken error
		refuse string // the embedder does
		down   string // it is, for this one
		want   Code
		judged bool
		calls  int // of the first question beside its own
	}{
		{name: "four others agree", others: of(right, right, right, right), judged: true, calls: 5},
		{name: "two others agree", others: of(right, right), judged: true, calls: 3},
		{name: "one other agrees", others: of(right), want: Unavailable, judged: true, calls: 1},
		{name: "there is no other", want: Unavailable, judged: true, calls: 1},
		{name: "one of four differs", others: of(right, right, right, wrong), want: Unavailable, judged: true, calls: 5},
		{name: "the first of four differs", others: of(wrong, right, right, right), want: Unavailable, judged: true, calls: 2},
		{name: "one of two is refused", others: of(right, right), refuse: "passage 1", want: Unavailable, judged: true, calls: 3},
		{name: "one cannot be asked for", others: of(right, right), down: "passage 1", want: Unavailable, calls: 3},
		{name: "the others cannot be read", broken: Errorf(Unavailable, "a disk error"), want: Unavailable, judged: true, calls: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			e := &fakeEmbedder{embed: func(_ context.Context, texts []string) ([][]float32, error) {
				calls++
				switch texts[0] {
				case tt.refuse:
					return nil, FieldErrorf("texts", "refused")
				case tt.down:
					return nil, &Error{Code: Unavailable, Phase: "connect", Msg: "it is down"}
				}
				return [][]float32{right}, nil
			}}
			var log bytes.Buffer
			v := &verified{Embedder: e, sampler: &sampled{vector: wrong, others: tt.others, broken: tt.broken}, log: slog.New(slog.NewTextHandler(&log, nil))}
			err := v.compare(t.Context(), "u")
			if CodeOf(err) != tt.want || (v.right || v.wrong != nil) != tt.judged || calls != tt.calls {
				t.Errorf("%v after %d calls, want %q after %d; judged right: %v, wrong: %v", err, calls, tt.want, tt.calls, v.right, v.wrong)
			}
			if tt.judged && tt.want != "" && tt.refuse == "" && !errors.Is(err, errOtherModel) {
				t.Errorf("it is told %v", err)
			}
			if named := strings.Contains(log.String(), "document=first"); named != (tt.want == "") {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}

// TestWhatStandsForAWrongDocument: a document that was found to be wrong is not
// asked about again, and the embedder is held against another from then on.
func TestWhatStandsForAWrongDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right, wrong := []float32{1, 0}, []float32{0, 1}
		e := &fickle{says: right, kept: map[string][]float32{}}
		store := &sampled{vector: wrong, others: []Sample{{Chunk{DocID: "second"}, right}, {Chunk{DocID: "third"}, right}}}
		var log bytes.Buffer
		v := &verified{Embedder: e, sampler: store, log: slog.New(slog.NewTextHandler(&log, nil))}
		compare := func(want Code, compared int) {
			t.Helper()
			<-time.NewTimer(2 * sampleEvery).C // virtual: the store shows its first document again
			if err := v.compare(t.Context(), "u"); CodeOf(err) != want || e.comparisons() != compared {
				t.Errorf("%v after %d comparisons, want %q after %d", err, e.comparisons(), want, compared)
			}
		}
		compare("", 3)
		compare("", 4)
		compare("", 5)
		if n := strings.Count(log.String(), "document=first"); n != 1 {
			t.Errorf("the log says it %d times: %s", n, log.String())
		}
		e.set([]float32{-1, 0}, false)
		store.others = nil
		compare(Unavailable, 6)
		store.vector = nil // all are gone
		compare("", 6)
	})
}
