package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write the table of docs/OBSERVABILITY.md")

const (
	tableFile  = "../../docs/OBSERVABILITY.md"
	tableBegin = "<!-- metrics: written by go test ./internal/metrics -update -->\n"
	tableEnd   = "<!-- end of metrics -->"
)

// families are all metrics of a server in which everything has happened once.
func families(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := fresh()
	one(m)
	scrape(t, m) // has the handler's own there
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func table(all []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), "weir_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n",
			f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, " "), strings.ReplaceAll(f.GetHelp(), "|", `\|`))
	}
	return b.String()
}

func TestTheTableOfMetricsIsTrue(t *testing.T) {
	content, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begun := strings.Cut(string(content), tableBegin)
	old, tail, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s has no table between its marks", tableFile)
	}
	now := table(families(t))
	if *update {
		if err := os.WriteFile(tableFile, []byte(head+tableBegin+now+tableEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	had, have := strings.Split(old, "\n"), strings.Split(now, "\n")
	for _, line := range have {
		if !slices.Contains(had, line) {
			t.Errorf("not in the table, or not so: %s", line)
		}
	}
	for _, line := range had {
		if !slices.Contains(have, line) {
			t.Errorf("in the table, and not so: %s", line)
		}
	}
}

// TestTheTextNamesNoOtherMetrics: what the page says about metrics outside of
// its table.
func TestTheTextNamesNoOtherMetrics(t *testing.T) {
	content, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	known := catalogue(families(t))
	labels := []string{"go_version"}
	named := metricName.FindAllString(string(content), -1)
	if len(named) < 40 {
		t.Fatalf("found only %d names", len(named))
	}
	for _, name := range named {
		if known[name] == nil && !slices.Contains(labels, name) {
			t.Errorf("%s is not a metric", name)
		}
	}
}
