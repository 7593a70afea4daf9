package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Saw says in words what the callers of a fault saw, in percent of its calls.
func (r Row) Saw() string {
	switch {
	case r.Skipped != "":
		return "skipped: " + r.Skipped
	case r.Broken != "":
		return "broken off: " + r.Broken
	case r.Calls == 0:
		return "nobody asked"
	}
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, percent(n, r.Calls)+" "+what)
		}
	}
	add(r.Whole, "answered")
	add(sum(r.Degraded), "degraded"+codes(r.Degraded))
	add(sum(r.Errors), "errors"+codes(r.Errors))
	if rest := r.Calls - r.Whole - sum(r.Degraded) - sum(r.Errors); rest > 0 {
		add(rest, "wrong or hung")
	}
	return strings.Join(parts, ", ")
}

// Back says when callers were answered again.
func (r Row) Back() string {
	switch {
	case r.Skipped != "" || r.Broken != "":
		return "–"
	case !r.Recovered:
		return "never"
	default:
		return fmt.Sprintf("%.1f s", r.RecoveredMS/1000)
	}
}

// Bad counts the calls that ended as none may: with what is wrong, another
// user's, or less than it seems, or with an error that says nothing.
func (r Row) Bad() int { return r.Wrong + r.Foreign + r.Undeclared + r.Unclear }

// Left says what is left of the target: goroutines and connections.
func (r Row) Left() string { return fmt.Sprintf("%d / %d", r.LeftGoroutines, r.LeftConnections) }

// Markdown writes the rows as a table.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| The provider | Callers saw | Slowest | Late | Hung | Wrong | Requests per call | Connections | Back after | Left |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range rows {
		if r.Skipped != "" || r.Broken != "" {
			fmt.Fprintf(&b, "| `%s`: %s | %s |||||||||\n", r.Fault, r.Does, r.Saw())
			continue
		}
		fmt.Fprintf(&b, "| `%s`: %s | %s | %.2f s | %d | %d | %d | %.2f | %d | %s | %s |\n",
			r.Fault, r.Does, r.Saw(), r.Slowest/1000, r.Late, r.Hung, r.Bad(), r.PerCall, r.MostConnections, r.Back(), r.Left())
	}
	return b.String()
}

// percent is n of all, never 0 % nor 100 % of what is neither none nor all.
func percent(n, all int) string {
	p := float64(n) / float64(all) * 100
	switch {
	case n == all:
		return "100 %"
	case p < 1:
		return "<1 %"
	case p > 99:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

// codes lists them, the most frequent first.
func codes(m map[string]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
