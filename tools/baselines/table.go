package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"weir/internal/drill"
)

type measured struct {
	baseline
	rows []drill.Row
	took time.Duration
}

// total sums up what one of them did over all faults.
type total struct {
	calls, late, hung, wrong, outageCalls, outageRequests, goroutines, connections, most, driven, never, slowBack int
	slowest, worstBack, lag                                                                                       float64
}

func (m measured) total() total {
	var t total
	for _, r := range m.rows {
		if r.Skipped != "" || r.Broken != "" {
			continue
		}
		t.driven++
		t.calls += r.AllCalls
		t.late += r.Late
		t.hung += r.Hung
		t.wrong += r.Wrong
		if r.Outage {
			t.outageCalls += r.Calls
			t.outageRequests += r.Requests
		}
		t.goroutines += r.LeftGoroutines
		t.connections += r.LeftConnections
		t.most = max(t.most, r.MostConnections)
		t.slowest = max(t.slowest, r.Slowest)
		t.lag = max(t.lag, r.OwnLag)
		switch {
		case !r.Recovered:
			t.never++
		default:
			t.worstBack = max(t.worstBack, r.RecoveredMS)
			if r.RecoveredMS > 5000 {
				t.slowBack++
			}
		}
	}
	return t
}

func (t total) perCall() float64 { return float64(t.outageRequests) / float64(max(1, t.outageCalls)) }

func markdown(o options, all []measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", setting(o))
	for _, m := range all {
		fmt.Fprintf(&b, "- **%s**: %s\n", m.name, m.setup)
	}
	b.WriteString("\n| Over all faults |")
	for _, m := range all {
		fmt.Fprintf(&b, " %s |", m.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(all)) + "\n")
	for _, line := range []struct {
		what string
		of   func(total) string
	}{
		{"faults driven", func(t total) string { return fmt.Sprint(t.driven) }},
		{"calls", func(t total) string { return fmt.Sprint(t.calls) }},
		{"late (over 50 ms)", func(t total) string { return fmt.Sprint(t.late) }},
		{"hung (over 1 s)", func(t total) string { return fmt.Sprint(t.hung) }},
		{"wrong vectors", func(t total) string { return fmt.Sprint(t.wrong) }},
		{"requests per call in an outage", func(t total) string { return fmt.Sprintf("%.2f", t.perCall()) }},
		{"most connections", func(t total) string { return fmt.Sprint(t.most) }},
		{"slowest call", func(t total) string { return fmt.Sprintf("%.2f s", t.slowest/1000) }},
		{"the machine woke the drill itself late, at worst", func(t total) string { return fmt.Sprintf("%.0f ms", t.lag) }},
		{"faults not back 10 s after their end", func(t total) string { return fmt.Sprint(t.never) }},
		{"faults back after more than 5 s", func(t total) string { return fmt.Sprint(t.slowBack) }},
		{"goroutines / connections left after 2 s", func(t total) string { return fmt.Sprintf("%d / %d", t.goroutines, t.connections) }},
	} {
		fmt.Fprintf(&b, "| %s |", line.what)
		for _, m := range all {
			fmt.Fprintf(&b, " %s |", line.of(m.total()))
		}
		b.WriteString("\n")
	}
	b.WriteString("\nFor each fault: of the calls that began while it lasted, those that were answered rightly, if need be after its end · requests per call · back after its end; then, where there were any, late, hung and wrong calls, goroutines and connections left.\n\n| Fault |")
	for _, m := range all {
		fmt.Fprintf(&b, " %s |", m.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for i, r := range all[0].rows {
		fmt.Fprintf(&b, "| `%s` |", r.Fault)
		for _, m := range all {
			fmt.Fprintf(&b, " %s |", cell(m.rows[i]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(r drill.Row) string {
	if r.Skipped != "" || r.Broken != "" {
		return r.Saw()
	}
	parts := []string{fmt.Sprintf("%d %% · %.2f · %s", int(float64(r.Whole)/float64(max(1, r.Calls))*100), r.PerCall, r.Back())}
	for _, c := range []struct {
		n    int
		what string
	}{{r.Late, "late"}, {r.Hung, "hung"}, {r.Wrong, "wrong"}, {r.LeftGoroutines, "goroutines left"}, {r.LeftConnections, "connections left"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("**%d %s**", c.n, c.what))
		}
	}
	for code, n := range r.Errors {
		if strings.Contains(code, "memory") && n > 0 {
			parts = append(parts, "**stopped at 2 GiB of memory**")
		}
	}
	return strings.Join(parts, ", ")
}

func plain(all []measured) string {
	var b strings.Builder
	for i, r := range all[0].rows {
		fmt.Fprintf(&b, "%s: %s\n", r.Fault, r.Does)
		for _, m := range all {
			fmt.Fprintf(&b, "  %-12s %s\n", m.name, strings.ReplaceAll(cell(m.rows[i]), "**", ""))
		}
	}
	return b.String() + "\n"
}

// splice replaces what is between the marks of name in the file.
func splice(file, name, text string) error {
	was, err := os.ReadFile(file) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+" -->", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(string(was), begin)
	_, behind, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no %s … %s", file, begin, end)
	}
	now := slices.Concat([]byte(before), []byte(begin+"\n\n"), []byte(strings.TrimSpace(text)), []byte("\n\n"+end), []byte(behind))
	return os.WriteFile(file, now, 0o644) //nolint:gosec // a document for all to read
}
