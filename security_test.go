package weir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecurityPageNamesTestsThatExist: each line of the tables of docs/SECURITY.md
// names a test, and each test that is named is there, in the room that is named with it.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string][]string{} // of each test
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		code, err := os.ReadFile(file)
		room := filepath.Base(filepath.Dir(file))
		for _, m := range declared.FindAllSubmatch(code, -1) {
			rooms[string(m[1])] = append(rooms[string(m[1])], room)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(?:([a-z0-9]+)\\.)?((?:Test|Fuzz)\\w+)`")
	all := named.FindAllSubmatch(page, -1)
	if len(all) < 100 {
		t.Errorf("the page names %d tests; is it still the page it was?", len(all))
	}
	for _, m := range all {
		room, name := string(m[1]), string(m[2])
		switch where := rooms[name]; {
		case where == nil:
			t.Errorf("docs/SECURITY.md names %s, and there is none", name)
		case room != "" && !slices.Contains(where, room):
			t.Errorf("docs/SECURITY.md names %s.%s, and it is in %v", room, name, where)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z0-9]+)\\.([A-Z]\\w+)`").FindAllSubmatch(page, -1) {
		if !strings.HasPrefix(string(m[2]), "Test") {
			t.Errorf("docs/SECURITY.md names %s, which is no test", m[0])
		}
	}
	inTests := false
	for line := range strings.Lines(string(page)) {
		switch {
		case strings.HasPrefix(line, "#"):
			inTests = false
		case strings.HasPrefix(line, "| Attack |"):
			inTests = true
		case inTests && strings.HasPrefix(line, "| ") && !named.MatchString(line):
			t.Errorf("no test is named for: %s", line)
		}
	}
}
