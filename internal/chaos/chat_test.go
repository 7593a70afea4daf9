package chaos

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"weir/internal/openai"
)

// prompt is a conversation with passages in it.
func prompt() []openai.ChatMessage {
	return []openai.ChatMessage{
		{Role: "system", Content: "Cite like this: [7]."},
		{Role: "user", Content: "<passage-x number=\"1\" file=\"a.pdf\">\nOne two.\n</passage-x>\n<passage-x number=\"2\">\nThree four.\n</passage-x>\n\nQuestion: which?"},
	}
}

const rightReply = "It says: One two. [1]. It says: Three four. [2]."

func TestReply(t *testing.T) {
	say := func(text string) []openai.ChatMessage { return []openai.ChatMessage{{Role: "user", Content: text}} }
	tests := []struct {
		name string
		of   []openai.ChatMessage
		want string
	}{
		{"passages", prompt(), rightReply},
		{"numbers in brackets", say("[3] a b\n[4] c\n[5] d"), "It says: a b [3]. It says: c [4]."},
		{"none", say("hello"), NoPassages},
		{"long ones", say("[1] " + strings.Repeat("word ", 50)), "It says: " + strings.Repeat("word ", 12) + "[1]."},
	}
	for _, tt := range tests {
		if got := Reply(tt.of); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// talk is what a client of the chat model saw.
type talk struct {
	status int
	kind   string
	body   string
	err    error // of the end
}

// talk asks for an answer and reads it, until enough of it is there.
func (m *meeting) talk(stream bool, enough func(body string) bool) talk {
	m.Helper()
	ctx, leave := context.WithCancel(m.Context())
	defer leave()
	raw, err := openai.ChatRequest{Model: "m", Messages: prompt(), Stream: stream, IncludeUsage: true}.Encode()
	if err != nil {
		m.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/chat/completions", strings.NewReader(string(raw)))
	if err != nil {
		m.Fatal(err)
	}
	resp, err := m.client.Do(r)
	if err != nil {
		return talk{err: err}
	}
	defer resp.Body.Close()
	out := talk{status: resp.StatusCode, kind: resp.Header.Get("Content-Type")}
	var b strings.Builder
	buf := make([]byte, 32<<10)
	for out.err == nil && b.Len() < 4<<20 {
		var n int
		n, out.err = resp.Body.Read(buf)
		b.Write(buf[:n])
		if enough != nil && enough(b.String()) {
			leave()
			break
		}
	}
	out.body = b.String()
	return out
}

// heard joins the pieces of a stream.
func heard(t *testing.T, body string) (text, finish string, done bool) {
	t.Helper()
	for line := range strings.SplitSeq(body, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if data == openai.ChatDone {
			return text, finish, true
		}
		news, err := openai.DecodeChatNews([]byte(data))
		if err != nil {
			t.Errorf("%q: %v", data, err)
		}
		text += news.Text
		if news.FinishReason != "" {
			finish = news.FinishReason
		}
	}
	return text, finish, false
}

// rightly wants the right answer, streamed and not.
func (m *meeting) rightly() {
	m.Helper()
	got := m.talk(true, nil)
	text, finish, done := heard(m.T, got.body)
	if !errors.Is(got.err, io.EOF) || got.status != 200 || got.kind != "text/event-stream" || text != rightReply || finish != "stop" || !done {
		m.Errorf("%+v", got)
	}
	got = m.talk(false, nil)
	news, err := openai.DecodeChatNews([]byte(got.body))
	if err != nil || got.kind != "application/json" || news.Text != rightReply || news.FinishReason != "stop" || news.Usage == nil {
		m.Errorf("%+v, %v", got, err)
	}
}

// talks is what each fault of the chat model looks like to a plain client.
func talks() map[Fault]check {
	hasTwo := func(body string) bool { return strings.Count(body, "content\":\"") >= 2 }
	stalls := func(begun func(body string) bool) check { // it comes to that, and no further
		return func(m *meeting) {
			got := m.talk(true, func(body string) bool { return begun(body) })
			if _, finish, done := heard(m.T, got.body); finish != "" || done || !begun(got.body) {
				m.Errorf("%+v", got)
			}
		}
	}
	drips := func(what string) check {
		return func(m *meeting) {
			quit := make(chan struct{})
			defer close(quit)
			go func() {
				for {
					select {
					case m.clock.fire <- time.Time{}:
					case <-quit:
						return
					}
				}
			}()
			got := m.talk(true, func(body string) bool { return strings.Count(body, what) > 20 })
			if strings.Count(got.body, what) <= 20 {
				m.Errorf("%+v", got)
			}
		}
	}
	floods := func(most int) check {
		return func(m *meeting) {
			if got := m.talk(true, nil); len(got.body) < most || got.err != nil {
				m.Errorf("%d bytes, %v", len(got.body), got.err)
			}
		}
	}
	ends := func(ok func(m *meeting, body string) bool) check {
		return func(m *meeting) {
			if got := m.talk(true, nil); !errors.Is(got.err, io.EOF) || got.status != 200 || !ok(m, got.body) {
				m.Errorf("%v: %q", got.err, got.body)
			}
		}
	}
	has := func(part string) func(*meeting, string) bool {
		return func(_ *meeting, body string) bool {
			return strings.Contains(body, part) && !strings.Contains(body, openai.ChatDone)
		}
	}
	tells := func(want, reason string) check {
		return ends(func(m *meeting, body string) bool {
			text, finish, done := heard(m.T, body)
			return text == want && finish == reason && done
		})
	}
	return map[Fault]check{
		ChatStall:         stalls(func(body string) bool { return strings.Contains(body, "\"role\":\"assistant\"") }),
		ChatStallBetween:  stalls(hasTwo),
		ChatComments:      drips(": keep-alive\n\n"),
		ChatCommentsAfter: drips(": keep-alive\n\n"),
		ChatThinks:        drips("reasoning_content"),
		ChatBlank:         drips(`"content":" \n"`),
		ChatBlankFlood:    floods(4 << 20),
		ChatEndless:       floods(4 << 20),
		ChatGiantLine:     floods(4 << 20),
		ChatUnended: ends(func(m *meeting, body string) bool {
			text, finish, done := heard(m.T, body)
			return text == "It says:" && finish == "" && !done
		}),
		ChatNoDone: ends(func(m *meeting, body string) bool {
			text, finish, done := heard(m.T, body)
			return text == rightReply && finish == "stop" && !done
		}),
		ChatHangsOn: func(m *meeting) {
			got := m.talk(true, func(body string) bool { return strings.Contains(body, "prompt_tokens") })
			if text, _, done := heard(m.T, got.body); text != rightReply || done {
				m.Errorf("%+v", got)
			}
		},
		ChatHalfLine: ends(func(_ *meeting, body string) bool { return strings.HasSuffix(body, `"conte`) }),
		ChatBadJSON:  ends(has(`{"choices":[{]}`)),
		ChatSplitRune: ends(func(m *meeting, body string) bool {
			text, _, _ := heard(m.T, body)
			return !utf8.ValidString(body) && text == "é"+rightReply
		}),
		ChatBadUTF8: ends(func(m *meeting, body string) bool {
			text, _, _ := heard(m.T, body)
			return text == "\xff\xfe"+rightReply
		}),
		ChatWhole: func(m *meeting) {
			got := m.talk(true, nil)
			if news, err := openai.DecodeChatNews([]byte(got.body)); err != nil || news.Text != rightReply || got.kind != "application/json" {
				m.Errorf("%+v", got)
			}
		},
		ChatOtherType:  typed("application/json"),
		ChatWrongType:  typed("text/html"),
		ChatError:      ends(has(`"error":{"message":"the model is overloaded"`)),
		ChatErrorAfter: ends(has(`"error":{"message":"the model is overloaded"`)),
		ChatRST: func(m *meeting) { // what came before it may be lost with it
			if got := m.talk(true, nil); errors.Is(got.err, io.EOF) || got.err == nil || strings.Contains(got.body, openai.ChatDone) {
				m.Errorf("%+v", got)
			}
		},
		ChatEmpty:          tells("", "stop"),
		ChatFiltered:       tells("", "content_filter"),
		ChatLength:         tells("It says: One", "length"),
		ChatOtherCitations: tells(rightReply+" [98] [99] [0]", "stop"),
	}
}

func typed(kind string) check {
	return func(m *meeting) {
		got := m.talk(true, nil)
		if text, _, done := heard(m.T, got.body); text != rightReply || !done || got.kind != kind {
			m.Errorf("%+v", got)
		}
	}
}

// TestChatFaults meets each fault of the chat model on each of its wires, and
// wants to be well when it is over; embeddings are well meanwhile.
func TestChatFaults(t *testing.T) {
	talks := talks()
	for _, e := range ChatFaults() {
		check := talks[e.Fault]
		if check == nil || e.Met != ByChat || e.Does == "" {
			t.Errorf("%s has no test, or no row that is whole", e.Fault)
			continue
		}
		for _, wire := range e.Wires {
			t.Run(string(e.Fault)+"/"+wire.String(), func(t *testing.T) {
				t.Parallel()
				m := meet(t, wire, false)
				m.rightly()
				if err := m.Set(t.Context(), e.Fault); err != nil {
					t.Fatal(err)
				}
				check(m)
				m.whole() // the embeddings
				if err := m.Heal(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.rightly()
				m.await(func(s Stats) bool { return s.InFlight == 0 })
			})
		}
	}
	if len(talks) != len(ChatFaults()) {
		t.Errorf("%d tests for %d faults", len(talks), len(ChatFaults()))
	}
}

// TestFaultsOfVectorsLeaveChatAlone: and the others do not.
func TestFaultsOfVectorsLeaveChatAlone(t *testing.T) {
	m := meet(t, Plain, false)
	for _, e := range Faults() {
		if e.Met != ByEmbeddings {
			continue
		}
		if err := m.Set(t.Context(), e.Fault); err != nil {
			t.Fatal(err)
		}
		m.rightly()
	}
	for f, want := range map[Fault]int{Status500: 500, Busy: 429, HTML: 200, RedirectLoop: 307} {
		if err := m.Set(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		m.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if got := m.talk(true, nil); got.status != want || strings.Contains(got.body, "It says") {
			t.Errorf("%s: %+v", f, got)
		}
	}
}

// TestBadConversations are told.
func TestBadConversations(t *testing.T) {
	m := meet(t, Plain, false)
	for body, want := range map[string]int{`{}`: 400, `{"messages":7}`: 400, `[`: 400} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url+"/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", body, resp.StatusCode)
		}
	}
}
