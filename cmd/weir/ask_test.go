package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/rag"
)

// chatServer is a provider whose model answers each question with what say
// makes of it, in pieces. An answer that ends with "…" breaks off there.
func chatServer(t *testing.T, say func(question string) string) (baseURL string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []rag.ChatMessage `json:"messages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
			return
		}
		_, question, _ := strings.Cut(asked.Messages[len(asked.Messages)-1].Content, "Question: ")
		text := say(question)
		if text == "" {
			http.Error(w, `{"error":{"message":"the model is loading"}}`, http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		text, broken := strings.CutSuffix(text, "…")
		for _, piece := range strings.SplitAfter(text, " ") {
			content, err := json.Marshal(piece)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", content)
		}
		if !broken {
			fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

func TestAsk(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	docs := t.TempDir()
	write(t, docs, "warranty.md", "# Warranty\n\nThe warranty of the kettle lasts 27 months.\n")
	chat := []string{"--chat-model", "writer", "--chat-base-url", chatServer(t, func(question string) string {
		switch {
		case strings.Contains(question, "down"):
			return ""
		case strings.Contains(question, "broken"):
			return "It lasts 27 months [1]. And more …"
		case strings.Contains(question, "bulb"):
			return "NO-ANSWER-IN-PASSAGES"
		case strings.Contains(question, "esc"):
			return "It \x1b[31mlasts [1]."
		}
		return "It lasts\n27 months [1] [7]."
	})}
	tests := []struct {
		name, question string
		args           []string
		code           int
		out, stderr    []string // which are printed
		not            string   // which is not
	}{
		{
			name: "an answer", question: "how long does the kettle's warranty last?", out: []string{"It lasts\n27 months [1].\n\nSources:\n[1] warranty.md, Warranty\n"},
			stderr: []string{"citations_dropped"}, not: "[7]",
		},
		{name: "declined", question: "which bulb is in the kettle?", out: []string{"do not answer this question"}, not: "Sources"},
		{name: "no passages", question: "kettle", args: []string{"--user", "ben"}, out: []string{`the user "ben" has no documents`}},
		{name: "nothing moves the cursor", question: "esc kettle", out: []string{"It ?[31mlasts [1]."}, not: "\x1b"},
		{name: "for programs", question: "kettle", args: []string{"--json"}, out: []string{`"answered": true`, `"page_start": null`, `"dropped_citations": 1`}, not: "Sources"},
		{name: "an empty question", question: " ", code: exitUsage, stderr: []string{"the question is empty"}},
		{name: "a mode that is none", question: "x", args: []string{"--mode", "best"}, code: exitUsage, stderr: []string{"--mode must be"}},
		{name: "a document that is not there", question: "kettle", args: []string{"--document", "nope"}, code: exitFailed, stderr: []string{`there is no document "nope"`}},
		// Last, as the provider is left alone after them.
		{name: "the answer breaks off", question: "is the kettle broken?", code: exitFailed, out: []string{"It lasts 27 months [1]. And more\n"}, stderr: []string{"not whole"}, not: "Sources"},
		{
			name: "the provider is down", question: "is the kettle down?", out: []string{"1. warranty.md", "27 months"},
			stderr: []string{"not the whole answer (unavailable)", "the model is loading"}, not: "Sources",
		},
		{name: "a failure for programs", question: "broken kettle", args: []string{"--json"}, out: []string{`"answered": false`, `"reason": "unavailable"`}},
	}
	check := func(t *testing.T, beside []string) {
		t.Helper()
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := weir(t, data, append(append([]string{"ask", tt.question}, tt.args...), beside...)...)
				if r.code != tt.code || tt.not != "" && strings.Contains(r.out, tt.not) {
					t.Errorf("%+v", r)
				}
				for _, want := range tt.out {
					if !strings.Contains(r.out, want) {
						t.Errorf("it did not print %q: %+v", want, r)
					}
				}
				for _, want := range tt.stderr {
					if !strings.Contains(r.stderr, want) {
						t.Errorf("it did not say %q: %+v", want, r)
					}
				}
			})
		}
	}
	s := serve(t, data, append([]string{"--docs", docs}, chat...)...)
	t.Run("through the server", func(t *testing.T) { check(t, nil) })
	if r := s.stop(); r.code != exitOK {
		t.Errorf("the server ended with %d: %s", r.code, r.stderr)
	}
	t.Run("by itself", func(t *testing.T) { check(t, chat) })
	r := weir(t, data, "ask", "how long does the kettle's warranty last?")
	if r.code != exitOK || !strings.Contains(r.out, "1. warranty.md") || !strings.Contains(r.stderr, "no_chat_model") {
		t.Errorf("without a chat model: %+v", r)
	}
}
