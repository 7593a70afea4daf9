package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"
)

// What is not Weir's in a query: the labels and the one metric that Prometheus
// adds.
const outsideMetric = "up"

var (
	outsideLabels = []string{"job", "instance", "le"}

	metricName = regexp.MustCompile(`\b(?:weir|go|process|promhttp)_[a-z0-9_]+\b`)
	selector   = regexp.MustCompile(`(` + metricName.String() + `|\bup\b)(\{[^}]*\})?`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// shown is what a server shows: for each metric, its label names and the
// values they have had.
type shown map[string]*dto.MetricFamily

func catalogue(all []*dto.MetricFamily) shown {
	s := shown{}
	for _, f := range all {
		s[f.GetName()] = f
	}
	return s
}

// family finds the metric of a series' name; those of a histogram are its own
// with an ending.
func (s shown) family(name string) (*dto.MetricFamily, bool) {
	if name == outsideMetric {
		return nil, true
	}
	if f, ok := s[name]; ok {
		return f, f.GetType() != dto.MetricType_HISTOGRAM // by itself it is no series
	}
	for _, ending := range []string{"_bucket", "_sum", "_count"} {
		if f, ok := s[strings.TrimSuffix(name, ending)]; ok && f.GetType() == dto.MetricType_HISTOGRAM {
			return f, true
		}
	}
	return nil, false
}

// values of a label of f; nil: it has no such label.
func values(f *dto.MetricFamily, label string) []string {
	var all []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				all = append(all, l.GetValue())
			}
		}
	}
	return all
}

// check tells what in a query asks for what a server does not show.
func (s shown) check(query string) []string {
	var faults []string
	found := selector.FindAllStringSubmatch(query, -1)
	if len(found) == 0 {
		return []string{"no metric in it"}
	}
	labels := slices.Clone(outsideLabels)
	for _, sel := range found {
		f, ok := s.family(sel[1])
		if !ok {
			faults = append(faults, "no series is called "+sel[1])
			continue
		}
		for _, l := range f.GetMetric() {
			for _, p := range l.GetLabel() {
				labels = append(labels, p.GetName())
			}
		}
		faults = append(faults, checkMatchers(f, sel[1], sel[2])...)
		if f != nil && f.GetType() == dto.MetricType_COUNTER && !strings.Contains(query, "rate("+sel[1]) && !strings.Contains(query, "increase("+sel[1]) {
			faults = append(faults, sel[1]+" only grows: ask for its rate")
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
				faults = append(faults, "nothing in it has the label "+label)
			}
		}
	}
	return faults
}

func checkMatchers(f *dto.MetricFamily, name, braces string) []string {
	var faults []string
	for _, m := range matcher.FindAllStringSubmatch(braces, -1) {
		label, op, value := m[1], m[2], m[3]
		if slices.Contains(outsideLabels, label) {
			continue
		}
		has := values(f, label)
		if has == nil {
			faults = append(faults, name+" has no label "+label)
			continue
		}
		wanted := []string{value}
		if op == "=~" {
			wanted = strings.Split(value, "|")
		}
		if op == "!~" || (op == "=~" && regexp.QuoteMeta(strings.ReplaceAll(value, "|", "")) != strings.ReplaceAll(value, "|", "")) {
			continue // a pattern
		}
		for _, w := range wanted {
			if w != other && !slices.Contains(has, w) {
				faults = append(faults, name+" has no "+label+" "+w)
			}
		}
	}
	return faults
}

func TestAQueryForWhatIsNotThereIsFound(t *testing.T) {
	known := catalogue(families(t))
	tests := []struct{ name, query, want string }{
		{"fine", `sum by (job, le) (rate(weir_call_duration_seconds_bucket{operation="retrieve"}[5m])) / rate(weir_calls_total{code=~"ok|timeout"}[5m])`, ""},
		{"metric", `weir_calls_in_fligth`, "no series is called weir_calls_in_fligth"},
		{"ending", `rate(weir_calls_total_count[5m])`, "no series is called weir_calls_total_count"},
		{"histogram by itself", `weir_queue_age_seconds > 1`, "no series is called weir_queue_age_seconds"},
		{"label", `rate(weir_calls_total{status="ok"}[5m])`, "weir_calls_total has no label status"},
		{"value", `rate(weir_calls_total{code="200"}[5m])`, "weir_calls_total has no code 200"},
		{"one value of many", `rate(weir_calls_total{code=~"ok|timedout"}[5m])`, "weir_calls_total has no code timedout"},
		{"value that is left out", `rate(weir_degraded_total{reason!="no-embedder"}[5m])`, "weir_degraded_total has no reason no-embedder"},
		{"grouping", `sum by (opration) (rate(weir_calls_total[5m]))`, "nothing in it has the label opration"},
		{"counter as it is", `weir_refusals_total > 5`, "weir_refusals_total only grows: ask for its rate"},
		{"nothing", `1 > 0`, "no metric in it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(known.check(tt.query), "; "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func TestTheAlertsAskForSeriesThatAreThereFromTheStart(t *testing.T) {
	content, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	all, err := fresh().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	start := catalogue(all)
	var names []string
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
			for _, fault := range start.check(r.Expr) {
				t.Errorf("%s: %s", r.Alert, fault)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say how bad it is, what it is, or what to do", r.Alert)
			}
			for _, name := range metricName.FindAllString(r.Annotations["description"], -1) {
				if _, ok := start[name]; !ok {
					t.Errorf("%s: the description names %s, which is not a metric", r.Alert, name)
				}
			}
		}
	}
	tests, err := os.ReadFile("../../deploy/prometheus/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(string(tests), "alertname: "+name+"\n") {
			t.Errorf("%s is not tried out in alerts_test.yml", name)
		}
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s is not in docs/OBSERVABILITY.md", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d alerts", len(names))
	}
}

type dashboard struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Datasource map[string]string `json:"datasource"`
	Targets    []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

func TestTheDashboardAsksForWhatIsThere(t *testing.T) {
	content, err := os.ReadFile("../../deploy/grafana/weir.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	known := catalogue(families(t))
	var queries int
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if before, twice := ids[p.ID]; twice {
			t.Errorf("%s and %s have the same id", before, p.Title)
		}
		ids[p.ID] = p.Title
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if before := cells[[2]int{x, y}]; before != "" || x >= 24 {
					t.Fatalf("%s lies over %q, or outside", p.Title, before)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource["uid"] != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: no query, or not of the data source that was chosen", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			queries++
			if q.RefID == "" || refs[q.RefID] {
				t.Errorf("%s: %q names no query, or two", p.Title, q.RefID)
			}
			refs[q.RefID] = true
			for _, fault := range known.check(q.Expr) {
				t.Errorf("%s: %s", p.Title, fault)
			}
			for _, sel := range selector.FindAllStringSubmatch(q.Expr, -1) {
				if !strings.Contains(sel[2], `job=~"$job",instance=~"$instance"`) {
					t.Errorf("%s: %s is asked of all servers, not of those chosen", p.Title, sel[1])
				}
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" && len(known.check(v.Definition)) > 0 {
			t.Errorf("variable %s: %s", v.Name, known.check(v.Definition))
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" && len(known.check(a.Expr)) > 0 {
			t.Errorf("annotation: %s", known.check(a.Expr))
		}
	}
	if queries < 30 {
		t.Errorf("only %d queries", queries)
	}
}
