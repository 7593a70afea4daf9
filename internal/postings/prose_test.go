package postings_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/internal/analysis"
	"weir/internal/postings"
)

// prose writes text that has the statistics of real prose: the function words
// of English at the head of a Zipfian vocabulary of 200,000 words with endings,
// and for every document a topic whose words it repeats.
type prose struct {
	rng   *rand.Rand
	vocab []string
}

const functionWords = `the of and to in a is that for it as was with be by on not he i this are or his from at which but have an had they
you were their one all we can her has there been if more when will would who so no out up what about into than them only other some could
time these two may then do first any my now such like our over man me even most made after also did many before must through back years
where much your way well down should because each just those people how too little good very make world still own see men work long get`

func newProse(seed uint64) *prose {
	p := &prose{rng: rand.New(rand.NewPCG(seed, 1)), vocab: strings.Fields(functionWords)}
	words := rand.New(rand.NewPCG(7, 7)) // the same words, whatever the seed
	syllables := strings.Fields("ba con de er fa gra in ho ka lo mi ne or pa qui re sa ten ur ver wal pro dis mon ter sol cap lin mar vex")
	endings := []string{"", "", "", "s", "s", "ed", "ing", "er", "ation", "ment", "ly"}
	for len(p.vocab) < 200_000 {
		var b strings.Builder
		for range 2 + words.IntN(3) {
			b.WriteString(syllables[words.IntN(len(syllables))])
		}
		root := b.String()
		for range 1 + words.IntN(3) {
			p.vocab = append(p.vocab, root+endings[words.IntN(len(endings))])
		}
	}
	return p
}

// word draws by Zipf's law: the r-th word with a probability of 1/(r ln V).
func (p *prose) word() string {
	return p.vocab[int(math.Exp(p.rng.Float64()*math.Log(float64(len(p.vocab)))))-1]
}

// document writes chunks of about 200 words on one topic.
func (p *prose) document(chunks int) []string {
	topic := make([]string, 150)
	for i := range topic {
		topic[i] = p.word()
	}
	out := make([]string, chunks)
	for i := range out {
		var b strings.Builder
		for n := range 160 + p.rng.IntN(80) {
			if n > 0 {
				b.WriteByte(' ')
			}
			if p.rng.Float64() < 0.25 {
				b.WriteString(topic[int(float64(len(topic))*math.Pow(p.rng.Float64(), 2))])
			} else {
				b.WriteString(p.word())
			}
			if n%14 == 13 {
				b.WriteByte('.')
			}
		}
		out[i] = b.String()
	}
	return out
}

// everyday writes a question of everyday words: three to five content words
// that each occur in 1 to 15 of 100 chunks, among function words.
func (p *prose) everyday() string {
	words := []string{"what", "is", "the"}
	for i := range 3 + p.rng.IntN(3) {
		if i == 2 {
			words = append(words, "for", "my")
		}
		rank := 120 * math.Exp(p.rng.Float64()*math.Log(1500.0/120))
		words = append(words, p.vocab[int(rank)])
	}
	return strings.Join(words, " ") + "?"
}

// shelf is a corpus with its segments.
type shelf struct {
	texts    [][]string
	segments []postings.Document
	bytes    int // of text
}

// newShelf writes and analyses a corpus on all cores.
func newShelf(tb testing.TB, chunks, perDocument int) *shelf {
	tb.Helper()
	a := analysis.New()
	n := (chunks + perDocument - 1) / perDocument
	s := &shelf{texts: make([][]string, n), segments: make([]postings.Document, n)}
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			p := newProse(uint64(100 + w))
			for i := w; i < n; i += workers {
				s.texts[i] = p.document(perDocument)
				s.segments[i] = postings.Document{Key: int64(i + 1), Segment: segmentOf(tb, a, "", s.texts[i]...)}
			}
		})
	}
	wg.Wait()
	for _, d := range s.texts {
		for _, c := range d {
			s.bytes += len(c)
		}
	}
	return s
}

func (s *shelf) all(yield func(postings.Document, error) bool) {
	for _, d := range s.segments {
		if !yield(d, nil) {
			return
		}
	}
}
