package httpapi

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/openapi"
)

// TestDocsNameWhatThereIs: docs/API.md has every route, parameter and field of
// the document, and its tables have no others.
func TestDocsNameWhatThereIs(t *testing.T) {
	b, err := os.ReadFile("../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	var doc openapi.Document
	if err := json.Unmarshal(whole(t, &shelf{}).described().text, &doc); err != nil {
		t.Fatal(err)
	}
	names := namesIn(&doc)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !regexp.MustCompile("[`\".]" + regexp.QuoteMeta(name) + "[`\"=.]").MatchString(page) {
			t.Errorf("docs/API.md does not name %s (%s)", name, names[name])
		}
	}
	for path, methods := range doc.Paths {
		if !strings.Contains(page, "`"+path+"`") && !strings.Contains(page, " "+path+"`") {
			t.Errorf("docs/API.md does not name %s", path)
		}
		for method := range methods {
			if method != "get" && !strings.Contains(page, "`"+strings.ToUpper(method)+" "+path+"`") {
				t.Errorf("docs/API.md does not name %s %s", strings.ToUpper(method), path)
			}
		}
	}
	for _, m := range regexp.MustCompile("`(GET|POST|DELETE|PUT|PATCH) (/[^` ?]*)`").FindAllStringSubmatch(page, -1) {
		if doc.Paths[m[2]][strings.ToLower(m[1])] == nil {
			t.Errorf("docs/API.md names %s %s, which there is not", m[1], m[2])
		}
	}
	row, head := regexp.MustCompile("^\\| `([a-z_]+)(?:=[a-z]+)?` \\|"), ""
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			head = ""
			continue
		}
		if head == "" {
			head, _, _ = strings.Cut(strings.TrimPrefix(line, "| "), " ")
		}
		m := row.FindStringSubmatch(line)
		if m != nil && slices.Contains([]string{"Field", "Parameter"}, head) && names[m[1]] == "" {
			t.Errorf("a table of docs/API.md has %s, which there is not", m[1])
		}
	}
}

// namesIn are the names of fields and query parameters, with where each is.
func namesIn(doc *openapi.Document) map[string]string {
	names := map[string]string{}
	for schema, s := range doc.Components.Schemas {
		if strings.HasPrefix(schema, "Chat") { // OpenAI's own
			continue
		}
		for name := range s.Properties {
			names[name] = schema
		}
	}
	for path, methods := range doc.Paths {
		for _, op := range methods {
			for _, p := range op.Parameters {
				if p.In == "query" {
					names[p.Name] = path
				}
			}
		}
	}
	return names
}
