package load

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Questions are what is asked: the lines given, in turn, or, if there are none,
// questions that are all different, so that no cache answers them.
type Questions struct {
	// Lines are asked in turn, again and again. Defaults to none.
	Lines []string
	// Seed makes the questions of one run differ from those of the other.
	Seed uint64
}

// At returns question n.
func (q Questions) At(n int64) string {
	if len(q.Lines) > 0 {
		return q.Lines[int(uint64(n)%uint64(len(q.Lines)))] //nolint:gosec // n is not negative
	}
	x := mix(q.Seed + uint64(n)) //nolint:gosec // n is not negative
	pick := func(words string) string {
		list := strings.Fields(words)
		x = mix(x)
		return list[x%uint64(len(list))]
	}
	// The number makes it unlike all others; the words give a search something
	// to find.
	return fmt.Sprintf("%s %s %s %s of the %s %s in case %s-%d?",
		pick("When How Where Why Whether"), pick("does should must can may"),
		pick("the a each every any"), pick("warranty fee deadline notice limit claim appeal visit battery contract repair deposit permit invoice"),
		pick("annual first late urgent shared partial written monthly special"),
		pick("plan tenant member driver vehicle device account service request meeting payment holiday"),
		strconv.FormatUint(q.Seed, 36), n)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): it turns
// numbers in a row into ones that are not.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Ask is a body of each kind with a question in it.
type Ask struct {
	Questions Questions
	Mode      string // of retrieve; "": the server's
	TimeoutMS int    // of retrieve; 0: the server's
	Model     string // of embeddings
	Encoding  string // of embeddings: float or base64; "": the server's
}

// Retrieve is the body of a retrieval.
func (a Ask) Retrieve(n int64) []byte {
	return encode(struct {
		Query     string `json:"query"`
		Mode      string `json:"mode,omitempty"`
		TimeoutMS int    `json:"timeout_ms,omitempty"`
	}{a.Questions.At(n), a.Mode, a.TimeoutMS})
}

// Embeddings is the body of a request for one vector.
func (a Ask) Embeddings(n int64) []byte {
	return encode(struct {
		Model    string `json:"model"`
		Input    string `json:"input"`
		Encoding string `json:"encoding_format,omitempty"`
	}{a.Model, a.Questions.At(n), a.Encoding})
}

// Template is a body of any kind, in which {{question}} stands for the
// question as it is written within quotes in JSON, and {{n}} for its number.
func (a Ask) Template(body string) func(n int64) []byte {
	if !strings.Contains(body, "{{question}}") && !strings.Contains(body, "{{n}}") {
		same := []byte(body)
		return func(int64) []byte { return same }
	}
	return func(n int64) []byte {
		quoted := encode(a.Questions.At(n))
		return []byte(strings.NewReplacer(
			"{{question}}", string(quoted[1:len(quoted)-1]), "{{n}}", strconv.FormatInt(n, 10),
		).Replace(body))
	}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return b
}
