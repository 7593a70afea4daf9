// Package weir_test holds the house to its floor plan.
package weir_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms is the import table of docs/ARCHITECTURE.md: what each room may import
// of the others. cmd/weir and tests may import all.
var rooms = map[string][]string{
	"internal/rag":             {},
	"internal/analysis":        {},
	"internal/openai":          {},
	"internal/extract":         {"internal/rag"},
	"internal/provider":        {"internal/rag", "internal/openai"},
	"internal/embed":           {"internal/rag", "internal/openai", "internal/provider"},
	"internal/chat":            {"internal/rag", "internal/openai", "internal/provider"},
	"internal/embed/embedtest": {"internal/openai"},
	"internal/sqlite":          {"internal/rag", "internal/analysis", "internal/sqlite/scan", "internal/postings", "internal/crew"},
	"internal/sqlite/scan":     {},
	"internal/postings":        {"internal/analysis"},
	"internal/crew":            {},
	"internal/postgres":        {"internal/rag", "internal/analysis", "internal/postings", "internal/crew"},
	"internal/postgres/pgtest": {},
	"internal/storetest":       {"internal/rag"},
	"internal/openapi":         {},
	"internal/httpapi":         {"internal/rag", "internal/openai", "internal/openapi"},
	"internal/mcpapi":          {"internal/rag"},
	"internal/identity":        {"internal/rag"},
	"internal/page":            {},
	"internal/chaos":           {"internal/openai"},
	"internal/builtin":         {"internal/rag"},
	"internal/metrics":         {"internal/rag", "internal/embed", "internal/provider", "internal/chat"},
	"internal/certs":           {},
	"internal/traces":          {"internal/rag"},
	"internal/drill":           {"internal/chaos"},
	"internal/load":            {},
	"internal/load/chart":      {"internal/load"},
	"e2e/weirtest":             {"internal/httpapi"},
}

func TestRoomsImportOnlyWhatTheFloorPlanAllows(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(file))
		if strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "tools/") {
			return nil
		}
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: the room %s is not on the floor plan", file, room)
			return nil
		}
		seen[room] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(imported, "/")
			if other, ours := strings.CutPrefix(imported, "weir/"); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s, which the floor plan does not allow", file, other)
			} else if !ours && room == "internal/rag" && strings.Contains(first, ".") {
				t.Errorf("%s imports %s; the middle imports the standard library alone", file, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the floor plan has a room %s that is not there", room)
		}
	}
}

// TestEveryDependencyIsExplained keeps docs/ARCHITECTURE.md in step with
// go.mod: one line for each module chosen.
func TestEveryDependencyIsExplained(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(path.Join("docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^(?:require\s+)?\s*([\w.-]+\.[\w.-]+/\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		if !strings.Contains(string(doc), "`"+line[1]+"`") {
			t.Errorf("go.mod requires %s, which docs/ARCHITECTURE.md does not explain", line[1])
		}
	}
}
