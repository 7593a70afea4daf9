package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// deployTexts are docs/DEPLOY.md and the files of deploy/, by their paths.
func deployTexts(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	texts := map[string]string{}
	take := func(path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(content)
	}
	take(filepath.Join(root, "docs", "DEPLOY.md"))
	err := filepath.WalkDir(filepath.Join(root, "deploy"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".json" {
			take(path)
		}
		return err
	})
	if err != nil || len(texts) < 15 {
		t.Fatalf("%d files: %v", len(texts), err)
	}
	return texts
}

// Every setting that deployment names is one.
func TestDeploymentNamesSettingsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, s := range settings() {
		known[s.env] = true
		known[s.secretFile()] = true
	}
	for file, text := range deployTexts(t) {
		for _, name := range regexp.MustCompile(`\b(?:WEIR|OPENAI|DATABASE)_[A-Z][A-Z0-9_]*\b`).FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
	}
}

// Every command that deployment names is one, with the flags it names.
func TestDeploymentNamesCommandsThatExist(t *testing.T) {
	root := (&app{}).rootCommand()
	var lines []string
	for file, text := range deployTexts(t) {
		if strings.HasSuffix(file, ".md") {
			// Only what is set as code: the rest is prose.
			var code []string
			for i, part := range strings.Split(text, "```") {
				if i%2 == 1 {
					code = append(code, part)
				} else {
					code = append(code, regexp.MustCompile("`[^`\n]+`").FindAllString(part, -1)...)
				}
			}
			text = strings.Join(code, "\n")
		}
		// The name of a user and of a namespace is no command.
		text = strings.NewReplacer("-u weir ", "", "-n weir ", "").Replace(text)
		for _, line := range strings.Split(text, "\n") {
			if m := regexp.MustCompile(`(?:^|[\s` + "`" + `/="])weir ([a-z]+)\b([^` + "`" + `&|]*)`).FindStringSubmatch(line); m != nil {
				lines = append(lines, file+": weir "+m[1]+m[2])
			}
		}
	}
	checked := 0
	for _, line := range lines {
		_, words, _ := strings.Cut(line, ": weir ")
		fields := strings.Fields(words)
		cmd, _, err := root.Find(fields)
		if err != nil || cmd == root {
			if notProgram(fields) {
				continue
			}
			t.Errorf("%s: there is no such command", line)
			continue
		}
		checked++
		for _, f := range fields {
			if name, ok := strings.CutPrefix(f, "--"); ok && !hasFlag(cmd, strings.SplitN(name, "=", 2)[0]) {
				t.Errorf("%s: %s has no flag --%s", line, cmd.Name(), name)
			}
		}
	}
	if checked < 12 {
		t.Errorf("only %d commands were found", checked)
	}
}

// notProgram are words that follow the name where it is no command of the
// program, or not yet.
func notProgram(fields []string) bool {
	return fields[0] == "key" && len(identitySettings()) == 0 || slices.Contains([]string{"exec", "create"}, fields[0])
}

func hasFlag(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}

// Every metric and alert that deployment names is there, and every link leads somewhere.
func TestDeploymentNamesMetricsThatExist(t *testing.T) {
	doc := deployTexts(t)[filepath.Join("..", "..", "docs", "DEPLOY.md")]
	metrics, err := os.ReadFile(filepath.Join("..", "..", "docs", "OBSERVABILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(weir_[a-z_]+)`").FindAllStringSubmatch(doc, -1) {
		if !strings.Contains(string(metrics), "| `"+name[1]+"` |") {
			t.Errorf("DEPLOY.md names the metric %s, which is none", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`(Weir[A-Za-z]+)`").FindAllStringSubmatch(doc, -1) {
		if !strings.Contains(string(metrics), "| `"+name[1]+"` |") {
			t.Errorf("DEPLOY.md names the alert %s, which is none", name[1])
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat(filepath.Join("..", "..", "docs", filepath.FromSlash(link[1]))); err != nil {
			t.Errorf("DEPLOY.md leads to %s, which is not there", link[1])
		}
	}
}

// What the page asks for every second is not kept from those outside: it would
// tell all of them, for good, that the server does not say how it is.
func TestProxiesLetThePageThrough(t *testing.T) {
	for _, name := range []string{"Caddyfile", "nginx.conf"} {
		text := deployTexts(t)[filepath.Join("..", "..", "deploy", "proxy", name)]
		if !strings.Contains(text, "/metrics") || strings.Contains(text, "status") {
			t.Errorf("%s: /metrics is for inside, and /v1/status is not", name)
		}
	}
}
