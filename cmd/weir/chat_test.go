package main

import (
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/chaos"
)

// TestChatSettings: a key goes to the address that it was given for and to no
// other, and what does not fit together is refused.
func TestChatSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	const key, base = "OPENAI_API_KEY=sk-of-openai-0123456789", "OPENAI_BASE_URL=http://127.0.0.1:9/v1"
	tests := []struct {
		name  string
		env   []string
		of    string
		value string
		from  string
	}{
		{"none", nil, "WEIR_CHAT_MODEL", "", "default"},
		{"the address of the embedder", []string{base, "WEIR_CHAT_MODEL=c"}, "WEIR_CHAT_BASE_URL", "http://127.0.0.1:9/v1", "default (OPENAI_BASE_URL)"},
		{"the key of the embedder", []string{key, base, "WEIR_CHAT_MODEL=c"}, "WEIR_CHAT_API_KEY", "sk-***6789", "default (OPENAI_API_KEY)"},
		{"the same address, said twice", []string{key, base, "WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=http://127.0.0.1:9/v1/"}, "WEIR_CHAT_API_KEY", "sk-***6789", "default (OPENAI_API_KEY)"},
		{"another address", []string{key, "WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=http://127.0.0.1:10/v1"}, "WEIR_CHAT_API_KEY", "", "default"},
		{"another path", []string{key, base, "WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=http://127.0.0.1:9/v2"}, "WEIR_CHAT_API_KEY", "", "default"},
		{"a key of its own", []string{key, "WEIR_CHAT_MODEL=c", "WEIR_CHAT_API_KEY=other-0123456789abc"}, "WEIR_CHAT_API_KEY", "oth***9abc", "WEIR_CHAT_API_KEY"},
		{"a short whole shortens its parts", []string{"WEIR_CHAT_TIMEOUT=5s"}, "WEIR_CHAT_FIRST_TOKEN", "5s", "default (WEIR_CHAT_TIMEOUT)"},
		{"but not those that fit", []string{"WEIR_CHAT_TIMEOUT=15s"}, "WEIR_CHAT_TOKEN_GAP", "10s", "default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := configOf(t, tt.env)[tt.of]; got.Value != tt.value || got.From != tt.from {
				t.Errorf("%q from %s, want %q from %s", got.Value, got.From, tt.value, tt.from)
			}
		})
	}
	for name, wrong := range map[string]struct {
		env  []string
		want string
	}{
		"first token over the whole": {[]string{"WEIR_CHAT_TIMEOUT=5s", "WEIR_CHAT_FIRST_TOKEN=6s"}, "WEIR_CHAT_FIRST_TOKEN 6s is longer than WEIR_CHAT_TIMEOUT 5s"},
		"gap over the whole":         {[]string{"WEIR_CHAT_TOKEN_GAP=2m"}, "WEIR_CHAT_TOKEN_GAP 2m is longer"},
		"a key for no model":         {[]string{"WEIR_CHAT_API_KEY=k"}, "no chat model is"},
		"no key for OpenAI":          {[]string{"WEIR_CHAT_MODEL=c"}, "no key of https://api.openai.com/v1 is"},
		"an address with a password": {[]string{"WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=http://u:secret@h/v1"}, "give the key in WEIR_CHAT_API_KEY"},
		"no address":                 {[]string{"WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=h"}, "must be a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			r := weirIn(t, wrong.env, "", "", "config")
			if r.code != exitUsage || !strings.Contains(r.stderr, wrong.want) || strings.Contains(r.stderr, "secret") {
				t.Errorf("%d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestDoctorAsksTheChatModel: a real call, and what is wrong is said.
func TestDoctorAsksTheChatModel(t *testing.T) {
	p, err := chaos.Start(t.Context(), chaos.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"WEIR_EMBEDDER=none", "WEIR_CHAT_MODEL=c", "WEIR_CHAT_BASE_URL=" + p.URL()}
	tests := []struct {
		name  string
		fault chaos.Fault
		code  int
		want  string
	}{
		{"well", "", exitOK, "✓ chat      c at " + p.URL() + " said its first word in"},
		{"no such model", chaos.Status404, exitFailed, `✗ chat      c at ` + p.URL() + `: the chat model has no model "c"`},
		{"it stalls", chaos.ChatStall, exitFailed, "waiting for the first word"},
		{"it says nothing", chaos.ChatEmpty, exitFailed, "answered with nothing"},
		{"nobody is there", chaos.Refuses, exitFailed, "cannot be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.fault != "" {
				if err := p.Set(t.Context(), tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			patience := "30s"
			if tt.fault == chaos.ChatStall {
				patience = "3s" // all of it
			}
			r := weirIn(t, append(env, "WEIR_CHAT_FIRST_TOKEN="+patience), "", data, "doctor", "--listen", "127.0.0.1:0")
			if r.code != tt.code || !strings.Contains(r.out, tt.want) {
				t.Errorf("%d: %s%s", r.code, r.out, r.stderr)
			}
		})
	}
	if r := weirIn(t, []string{"WEIR_EMBEDDER=none"}, "", data, "doctor", "--listen", "127.0.0.1:0"); !strings.Contains(r.out, "✓ chat      none") {
		t.Error(r.out)
	}
}
