package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTable drives all of them through two faults, of which one shows the
// difference whatever the machine does.
func TestTable(t *testing.T) {
	var out, talk bytes.Buffer
	args := []string{"-markdown", "-callers", "3", "-deadline", "300ms", "-fault", "zero,shuffled"}
	if err := run(t.Context(), args, nil, &out, &talk); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	cells := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if f := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && len(f) == 5 {
			cells[strings.Trim(f[0], "| `")] = f[1:]
		}
	}
	for i, name := range names() {
		if got := cells["zero"][i]; strings.Contains(got, "wrong") == (name == "weir") {
			t.Errorf("%s and vectors of zeros: %s", name, got)
		}
		if got := cells["shuffled"][i]; !strings.HasPrefix(got, "100 %") {
			t.Errorf("%s and nothing wrong: %s", name, got)
		}
	}
	for _, want := range []string{"github.com/openai/openai-go/v3 v3.", "github.com/failsafe-go/failsafe-go v0.", "3 callers"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

func TestPaste(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	tests := []struct {
		name, was, want string
	}{
		{"between the marks", "a\n<!-- x -->\nold\n<!-- /x -->\nb\n", "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n"},
		{"no marks", "a\n", ""},
		{"not closed", "a\n<!-- x -->\n", ""},
		{"closed before it is opened", "<!-- /x -->\n<!-- x -->\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tt.was), 0o600); err != nil {
				t.Fatal(err)
			}
			err := run(t.Context(), []string{"-paste", "-name", "x", "-into", file}, strings.NewReader("new\n"), nil, nil)
			got, readErr := os.ReadFile(file)
			if readErr != nil {
				t.Fatal(readErr)
			}
			want := tt.want
			if want == "" {
				want = tt.was
			}
			if (err == nil) != (tt.want != "") || string(got) != want {
				t.Errorf("%v: %q", err, got)
			}
		})
	}
}

func TestWrongUses(t *testing.T) {
	for _, args := range [][]string{{"-only", "curl"}, {"-fault", "gremlins"}, {"-callers", "-1"}} {
		var out, talk bytes.Buffer
		if err := run(t.Context(), args, nil, &out, &talk); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
