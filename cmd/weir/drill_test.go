package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/chaos"
	"weir/internal/drill"
	"weir/internal/rag"
)

// inTime is more than a call takes under the faults of these tests, on a machine
// that has much else to do: one that comes to its deadline there may be late.
const inTime = "3s"

// TestDrill drives all of Weir on real sockets. That what is wrong makes it
// fail is shown in internal/drill and in TestJudge.
func TestDrill(t *testing.T) {
	// Half of these callers ask by vector alone.
	answersAndErrors := map[chaos.Fault]func(drill.Row) int{
		chaos.Status503: func(r drill.Row) int { return r.Degraded["unavailable"] + min(r.Errors["unavailable"], r.Calls/2) },
		chaos.Status400: func(r drill.Row) int { return r.Degraded["invalid"] + min(r.Errors["invalid"], r.Calls/2) },
		chaos.Shuffled:  func(r drill.Row) int { return r.Whole },
	}
	// Half of these are streamed: what was told in part ends as an error.
	inWords := map[chaos.Fault]func(drill.Row) int{
		chaos.Status503:          func(r drill.Row) int { return r.Degraded["unavailable"] },
		chaos.ChatErrorAfter:     func(r drill.Row) int { return r.Degraded["unavailable"] + r.Errors["unavailable"] },
		chaos.ChatOtherCitations: func(r drill.Row) int { return r.Whole },
	}
	tests := []struct {
		through string
		want    map[chaos.Fault]func(drill.Row) int // what must be most of the calls
	}{
		{through: throughRetrieve, want: map[chaos.Fault]func(drill.Row) int{
			chaos.Status503:   func(r drill.Row) int { return r.Degraded["unavailable"] },
			chaos.HalfThenFIN: func(r drill.Row) int { return r.Degraded["unavailable"] },
			chaos.Shuffled:    func(r drill.Row) int { return r.Whole },
		}},
		{through: throughVector, want: map[chaos.Fault]func(drill.Row) int{
			chaos.Status503: func(r drill.Row) int { return r.Errors["unavailable"] },
			chaos.Status400: func(r drill.Row) int { return r.Errors["invalid"] },
			chaos.Shuffled:  func(r drill.Row) int { return r.Whole },
		}},
		{through: throughAsk, want: inWords},
		{through: throughChat, want: inWords},
		{through: throughMCP, want: answersAndErrors},
		{through: throughCLI, want: answersAndErrors},
	}
	for _, tt := range tests {
		t.Run(tt.through, func(t *testing.T) {
			tmp := t.TempDir()
			var faults []string
			for f := range tt.want {
				faults = append(faults, string(f))
			}
			r := undisturbed(t, func() result {
				return weirIn(t, []string{"TMPDIR=" + tmp}, "", "", "drill", "--fault", strings.Join(faults, ","), "--through", tt.through, "--callers", "5", "--deadline", inTime, "--json")
			})
			if r.code != exitOK {
				t.Fatalf("exit %d: %s%s", r.code, r.out, r.stderr)
			}
			v := decode[verdict](t, r.out)
			if !v.Passed || !strings.HasPrefix(v.Verdict, "PASSED") || len(v.Faults) != len(tt.want) || v.Calls == 0 {
				t.Errorf("%+v", v)
			}
			for _, row := range v.Faults {
				if got := tt.want[row.Fault](row.Row); got*10 < row.Calls*8 || row.Calls < 10 {
					t.Errorf("%s: %d of %d calls: %+v", row.Fault, got, row.Calls, row.Row)
				}
			}
			if left := names(t, tmp); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			if tt.through == throughRetrieve {
				golden(t, "testdata/drill-json.golden", shape(t, r.out))
			}
		})
	}
}

// undisturbed runs a drill again where a machine with too much to do made calls
// late, as the drill itself was. Anything else that it finds stands, and so does
// what it finds in the end.
func undisturbed(t *testing.T, run func() result) (r result) {
	t.Helper()
	disturbed := regexp.MustCompile(`returned late, by up to [0-9]+ ms \(the machine woke the drill itself up to ([0-9]+) ms late\)`)
	for range 6 {
		r = run()
		m := disturbed.FindStringSubmatch(r.out)
		if r.code == exitOK || m == nil || len(m[1]) < 2 {
			return r
		}
		t.Logf("the drill was late itself: %s", m[0])
	}
	return r
}

// shape lists the paths of a JSON document with the kinds of their values. The
// maps that are keyed by codes are one.
func shape(t *testing.T, text string) string {
	t.Helper()
	paths := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, below := range v {
				if strings.HasSuffix(at, ".degraded") || strings.HasSuffix(at, ".errors") {
					k = "CODE"
				}
				if k != "notes" && k != "remark" && k != "commit" && k != "modified" { // only where there is something to say
					walk(at+"."+k, below)
				}
			}
		case []any:
			paths[at+" list"] = true
			for _, below := range v {
				walk(at+"[]", below)
			}
		default:
			paths[fmt.Sprintf("%s %T", at, v)] = true
		}
	}
	walk("", decode[any](t, text))
	return strings.Join(slices.Sorted(maps.Keys(paths)), "\n") + "\n"
}

func TestDrillInPlainLines(t *testing.T) {
	r := undisturbed(t, func() result {
		return weir(t, "", "drill", "--fault", "400", "--callers", "5", "--deadline", inTime, "--chunk-tokens", "300")
	})
	if r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	lines := strings.Split(r.out, "\n")
	if !strings.Contains(lines[0], "FAULT") || !strings.HasPrefix(lines[1], "ok   400 ") || !strings.Contains(lines[1], "degraded (invalid)") {
		t.Errorf("%s", r.out)
	}
	if !strings.Contains(r.out, "\nPASSED: 1 fault by 5 callers with a deadline of "+inTime+" each") || strings.Contains(r.out, "\x1b") {
		t.Errorf("%s", r.out)
	}
	if !strings.Contains(r.stderr, "--chunk-tokens has no effect") {
		t.Errorf("a setting was taken in silence: %q", r.stderr)
	}
	r = undisturbed(t, func() result {
		return weir(t, "", "drill", "--fault", "400", "--callers", "5", "--deadline", inTime, "--markdown")
	})
	if r.code != exitOK || !strings.Contains(r.out, "\n| `400`: answers 400 | ") {
		t.Errorf("%+v", r)
	}
}

func TestDrillList(t *testing.T) {
	r := weir(t, "", "drill", "--list")
	if r.code != exitOK || strings.Count(r.out, "\n") != len(chaos.Faults()) || !strings.Contains(r.out, "\nnever ") {
		t.Errorf("%+v", r)
	}
	for _, e := range chaos.Faults() {
		if len(e.Fault) > faultWidth {
			t.Errorf("the column of the faults has no room for %s", e.Fault)
		}
	}
}

func TestDrillWrongUses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown fault", []string{"--fault", "nevr"}, `there is no fault "nevr"; did you mean never?`},
		{"unknown door", []string{"--through", "window"}, "retrieve, vector, mcp, cli, embeddings"},
		{"no callers", []string{"--callers", "0"}, "--callers must be from 1"},
		{"no time", []string{"--deadline", "1ms"}, "--deadline must be from"},
		{"two forms", []string{"--json", "--markdown"}, "not both"},
		{"argument", []string{"never"}, "takes no argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := weir(t, "", append([]string{"drill"}, tt.args...)...); r.code != exitUsage || !strings.Contains(r.stderr, tt.want) || strings.Contains(r.out, "FAULT") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestDrillBrokenOff: the first signal ends it, and nothing is left.
func TestDrillBrokenOff(t *testing.T) {
	tmp := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	out := &watcher{until: " % ", then: cancel} // the first row
	code := run(ctx, []string{"drill", "--fault", "400,never,silent", "--callers", "5", "--deadline", "1s", "--side-by-side", "2"}, environment("TMPDIR="+tmp), strings.NewReader(""), out, &stderr)
	if code != exitFailed || !strings.Contains(out.String(), "BROKEN OFF after ") {
		t.Errorf("exit %d: %s%s", code, out, stderr.String())
	}
	if left := names(t, tmp); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// watcher is a Buffer that calls then when something was written to it.
type watcher struct {
	bytes.Buffer
	until string
	then  func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.until) {
		w.then()
	}
	return w.Buffer.Write(p)
}

func TestJudge(t *testing.T) {
	const question = "parking space left of the gate"
	own := rag.Passage{Filename: "ada-parking.txt", Content: "The parking space. " + mine("ada")}
	other := rag.Passage{Filename: "ben-parking.txt", Content: "The parking space. " + mine("ben")}
	disguised := rag.Passage{Filename: "ada-parking.txt", Content: "The parking space. " + mine("ben")}
	like := func(p rag.Passage, s float64) rag.Passage {
		p.Similarity = &s
		return p
	}
	right := likeness(question, own.Content)
	whole := like(own, right)
	tests := []struct {
		name string
		rag.Response
		mode rag.Mode
		want drill.Kind
	}{
		{"right", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{whole}}, "", drill.Whole},
		{"right, by vector", rag.Response{Mode: rag.Vector, Chunks: []rag.Passage{whole}}, rag.Vector, drill.Whole},
		{"degraded", rag.Response{Mode: rag.Lexical, Chunks: []rag.Passage{own}, Degraded: []rag.Degraded{{Stage: "embed", Reason: "timeout"}}}, "", drill.Degraded},
		{"degraded without a word", rag.Response{Mode: rag.Lexical, Chunks: []rag.Passage{own}}, "", drill.Undeclared},
		{"without similarities", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{own}}, "", drill.Undeclared},
		{"another question's vector", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{like(own, right-0.1)}}, "", drill.Wrong},
		{"nothing", rag.Response{Mode: rag.Hybrid}, "", drill.Wrong},
		{"another passage", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{{Filename: "ada-visa.txt", Content: mine("ada")}}}, "", drill.Wrong},
		{"another user's", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{whole, other}}, "", drill.Foreign},
		{"another user's, degraded", rag.Response{Mode: rag.Lexical, Chunks: []rag.Passage{other}, Degraded: []rag.Degraded{{}}}, "", drill.Foreign},
		{"another user's under one's own name", rag.Response{Mode: rag.Hybrid, Chunks: []rag.Passage{disguised}}, "", drill.Foreign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.Response, rag.Request{Query: question, Mode: tt.mode}, "ada", "ada-parking.txt"); got.Kind != tt.want {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, body string
		kind       drill.Kind
		code       string
	}{
		{"own", `{"type":"about:blank","status":503,"code":"unavailable","detail":"x"}`, drill.Failed, "unavailable"},
		{"OpenAI's", `{"error":{"code":"timeout","message":"x","type":"server_error","param":null}}`, drill.Failed, "timeout"},
		{"internal", `{"status":500,"code":"internal"}`, drill.Unclear, ""},
		{"no code", `{"status":503}`, drill.Unclear, ""},
		{"a page", `<html>`, drill.Unclear, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := refused(503, []byte(tt.body)); got.Kind != tt.kind || got.Code != tt.code {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestVerdictFails: one bad row is enough.
func TestVerdictFails(t *testing.T) {
	good := drill.Row{Fault: "x", Calls: 10, AllCalls: 20, Recovered: true, Degraded: map[string]int{}, Errors: map[string]int{}}
	bad := good
	bad.Late = 1
	skipped := drill.Row{Fault: "y", Skipped: "not here", Degraded: map[string]int{}, Errors: map[string]int{}}
	tests := []struct {
		name   string
		rows   []drill.Row
		broken error
		want   string
	}{
		{"good", []drill.Row{good}, nil, "PASSED"},
		{"good, one skipped", []drill.Row{good, skipped}, nil, "PASSED"},
		{"nothing driven", []drill.Row{skipped}, nil, "FAILED: no fault could be driven"},
		{"one late", []drill.Row{good, bad}, nil, "FAILED in 1 of 2 faults"},
		{"broken off", []drill.Row{good}, context.Canceled, "BROKEN OFF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerdict(drillFlags{callers: 1}, tt.rows, 0, tt.broken)
			if !strings.HasPrefix(v.Verdict, tt.want) || v.Passed != (tt.want == "PASSED") {
				t.Errorf("%v: %s", v.Passed, v.Verdict)
			}
			if b, err := json.Marshal(v); err != nil || bytes.Contains(b, []byte("null")) {
				t.Errorf("%v: %s", err, b)
			}
		})
	}
}

// TestDrillLineOfWhatGoesOn is what a terminal is shown.
func TestDrillLineOfWhatGoesOn(t *testing.T) {
	var screen bytes.Buffer
	s := &drillShow{rows: &screen, status: &screen, width: 60, total: 2}
	s.event(drill.Event{Fault: "never"})
	s.event(drill.Event{Fault: "never", Row: &drill.Row{Fault: "never", Calls: 1, Whole: 1, Recovered: true}})
	lines := strings.Split(screen.String(), "\r\x1b[K")
	if len(lines) < 4 || !strings.HasPrefix(lines[1], "0/2 faults, 0 failed") || !strings.Contains(lines[1], "never") {
		t.Fatalf("%q", lines)
	}
	if row := lines[2]; !strings.HasPrefix(row, "ok   never") || !strings.HasSuffix(row, "\n") || len([]rune(strings.TrimSpace(row))) > 60 {
		t.Errorf("%q", row)
	}
}
