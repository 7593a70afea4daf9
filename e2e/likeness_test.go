package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rest stands, in an answer as pages show it, for whatever it may be there.
const rest = "…"

// compare holds an answer, or its member at, against one that a page shows.
func (d *docs) compare(t *testing.T, shown, got, at string) {
	t.Helper()
	want, err := readShown(shown)
	if err != nil {
		t.Errorf("the page shows no JSON: %v\n%s", err, shown)
		return
	}
	var have any
	if err := json.Unmarshal([]byte(got), &have); err != nil {
		t.Errorf("the answer is no JSON: %v\n%s", err, got)
		return
	}
	if have, err = member(have, at); err != nil {
		t.Errorf("%v in %s", err, got)
		return
	}
	if err := alike("", want, have); err != nil {
		t.Errorf("%v\nthe page shows\n%s\nthe answer is\n%s", err, shown, got)
	}
}

// member is the member of v at a place such as a.0.b. A text there is read as
// JSON.
func member(v any, at string) (any, error) {
	if at == "" {
		return v, nil
	}
	for name := range strings.SplitSeq(at, ".") {
		n, err := strconv.Atoi(name)
		object, isObject := v.(map[string]any)
		list, isList := v.([]any)
		switch {
		case isObject:
			v = object[name]
		case isList && err == nil && n < len(list):
			v = list[n]
		default:
			return nil, fmt.Errorf("there is no %s", at)
		}
	}
	if text, ok := v.(string); ok {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("%s is no JSON: %w", at, err)
		}
	}
	return v, nil
}

// readShown reads JSON as pages show it: "…" stands for a value, the rest of a
// text or number, and for the rest of a list or an object.
func readShown(text string) (any, error) {
	var out strings.Builder
	inText, escaped := false, false
	var last rune // that is no space, outside of texts
	var open []rune
	for _, r := range text {
		switch {
		case inText:
			out.WriteRune(r)
			inText = escaped || r != '"'
			escaped = !escaped && r == '\\'
			continue
		case r == '"':
			inText = true
			out.WriteRune(r)
		case r == '…' && (last >= '0' && last <= '9' || last == '.'):
			number := strings.TrimRight(out.String(), "-0123456789.")
			out.Reset()
			out.WriteString(number + `"` + rest + `"`)
		case r == '…' && len(open) > 0 && open[len(open)-1] == '{' && (last == '{' || last == ','):
			out.WriteString(`"` + rest + `": null`)
		case r == '…':
			out.WriteString(`"` + rest + `"`)
		default:
			out.WriteRune(r)
		}
		switch r {
		case '{', '[':
			open = append(open, r)
		case '}', ']':
			open = open[:max(0, len(open)-1)]
		}
		if !strings.ContainsRune(" \n\t", r) {
			last = r
		}
	}
	var v any
	if err := json.Unmarshal([]byte(out.String()), &v); err != nil {
		return nil, fmt.Errorf("%w in %s", err, out.String())
	}
	return v, nil
}

// alike says where got is not as shown. What is shown in full is the same; the
// same members are there, and no others; lists are as long.
func alike(where string, shown, got any) error {
	if shown == rest {
		return nil
	}
	switch shown := shown.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object: %v", where, got)
		}
		return alikeObjects(where, shown, have)
	case []any:
		have, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s is no list: %v", where, got)
		}
		open := len(shown) > 0 && shown[len(shown)-1] == rest
		if open {
			shown = shown[:len(shown)-1]
		}
		if len(have) < len(shown) || !open && len(have) != len(shown) {
			return fmt.Errorf("%s has %d values, %d are shown", where, len(have), len(shown))
		}
		for i, v := range shown {
			if err := alike(fmt.Sprintf("%s[%d]", where, i), v, have[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		have, ok := got.(string)
		if !ok || !alikeTexts(shown, have) {
			return fmt.Errorf("%s is %#v, %q is shown", where, got, shown)
		}
		return nil
	default:
		if shown != got {
			return fmt.Errorf("%s is %#v, %#v is shown", where, got, shown)
		}
		return nil
	}
}

func alikeObjects(where string, shown, have map[string]any) error {
	_, open := shown[rest]
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if name == rest {
			continue
		}
		v, there := have[name]
		if !there {
			failed = append(failed, fmt.Errorf("%s.%s is shown and not there", where, name))
			continue
		}
		failed = append(failed, alike(where+"."+name, shown[name], v))
	}
	for name, v := range have {
		if _, there := shown[name]; !there && !open {
			failed = append(failed, fmt.Errorf("%s.%s is there and not shown: %v", where, name, v))
		}
	}
	return errors.Join(failed...)
}

// alikeTexts reports whether have is shown, of which rest is anything.
func alikeTexts(shown, have string) bool {
	parts := strings.Split(shown, rest)
	if len(parts) == 1 {
		return shown == have
	}
	if !strings.HasPrefix(have, parts[0]) {
		return false
	}
	have = have[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(have, p)
		if !ok {
			return false
		}
		have = after
	}
	return strings.HasSuffix(have, parts[len(parts)-1])
}

func TestLikeness(t *testing.T) {
	for _, tt := range []struct {
		shown, got string
		want       bool
	}{
		{`{"a": 1, "b": "x…", "c": …, "d": 0.1…}`, `{"a":1,"b":"xyz","c":[],"d":0.15}`, true},
		{`{"a": 1}`, `{"a":2}`, false},
		{`{"a": 1}`, `{"a":1,"b":1}`, false},
		{`{"a": 1, …}`, `{"a":1,"b":1}`, true},
		{`{"a": 1, "b": 2}`, `{"a":1}`, false},
		{`{"a": "x…z"}`, `{"a":"xyz"}`, true},
		{`{"a": "x…z"}`, `{"a":"yz"}`, false},
		{`[1, …]`, `[1,2,3]`, true},
		{`[1]`, `[1,2,3]`, false},
		{`[{"a": …}, …]`, `[]`, false},
		{`["…"]`, `[5]`, true},
		{`{"a": null}`, `{"a":0}`, false},
	} {
		shown, err := readShown(tt.shown)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal([]byte(tt.got), &got); err != nil {
			t.Fatal(err)
		}
		if err := alike("", shown, got); (err == nil) != tt.want {
			t.Errorf("%s shows %s: %v", tt.shown, tt.got, err)
		}
	}
}
