package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/provider"
)

// inspect walks through the source of a package, its tests left out.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool { visit(n); return true })
	}
}

// text is the value of a string literal.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// constants are the string constants of a type.
func constants(t *testing.T, dir, kind string) (found []string) {
	t.Helper()
	inspect(t, dir, func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != kind {
			return
		}
		for _, v := range spec.Values {
			if s, ok := text(v); ok {
				found = append(found, s)
			}
		}
	})
	return found
}

// fields are the string literals that a field of a struct type is given.
func fields(t *testing.T, dir, kind, field string) (found []string) {
	t.Helper()
	inspect(t, dir, func(n ast.Node) {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return
		}
		if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != kind {
			return
		}
		for _, e := range lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if key, ok := kv.Key.(*ast.Ident); !ok || key.Name != field {
				continue
			}
			if s, ok := text(kv.Value); ok {
				found = append(found, s)
			}
		}
	})
	return found
}

// operations are the string literals that the functions which begin a call
// are given.
func operations(t *testing.T, dir string) (found []string) {
	t.Helper()
	inspect(t, dir, func(n ast.Node) {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		name := ""
		switch f := c.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if name != "observed" && name != "call1" {
			return
		}
		for _, arg := range c.Args {
			if s, ok := text(arg); ok {
				found = append(found, s)
			}
		}
	})
	return found
}

// TestTheSetsAreThoseOfTheSources: a code that was added and is not in the set
// would show as other.
func TestTheSetsAreThoseOfTheSources(t *testing.T) {
	v := newVocabulary()
	var phases []string
	for p := provider.Phase(0); p.String() != "unknown"; p++ {
		phases = append(phases, p.String())
	}
	tests := []struct {
		name  string
		set   words
		found []string
		least int
	}{
		{"codes", v.codes, constants(t, "../rag", "Code"), 13},
		{"modes", v.modes, constants(t, "../rag", "Mode"), 3},
		{"reasons of empty answers", v.empties, constants(t, "../rag", "EmptyReason"), 5},
		{"operations", v.operations, operations(t, "../rag"), 5},
		{"degraded stages", v.stages, fields(t, "../rag", "Degraded", "Stage"), 2},
		{"degraded reasons", v.reasons, fields(t, "../rag", "Degraded", "Reason"), 2},
		{"phases of the provider", v.phases, phases, 8},
		{"phases of the service", v.phases, fields(t, "../rag", "Error", "Phase"), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.found) < tt.least {
				t.Fatalf("found only %q in the source", tt.found)
			}
			for _, w := range tt.found {
				if !slices.Contains(tt.set, w) {
					t.Errorf("%q is missing", w)
				}
			}
		})
	}
	for _, set := range []words{v.codes, v.modes, v.empties, v.phases, v.reasons} {
		for _, w := range set {
			if w == other || w == answered || w == none || w == "" {
				t.Errorf("%q means something else here", w)
			}
		}
	}
}
