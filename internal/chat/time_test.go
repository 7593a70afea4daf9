package chat

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// TestAnswers: what becomes of each way to answer, and when. The deadlines are
// 4 s for the first word, 2 s between two, 20 s for the whole.
func TestAnswers(t *testing.T) {
	const sec = time.Second
	cfg := Config{FirstToken: 4 * sec, TokenGap: 2 * sec, Timeout: 20 * sec, MaxAttempts: 1, MaxAnswerBytes: 1 << 10}
	long := strings.Repeat("x", 600)
	tests := []struct {
		name   string
		is     script
		text   string // what was emitted
		finish string // of a whole answer
		code   rag.Code
		phase  string
		msg    string
		took   time.Duration
	}{
		{name: "well", is: well(), text: "Hello world", finish: "stop"},
		{name: "slowly, but within each deadline", is: script{wait: sec, acts: slices.Concat([]act{{wait: 2900 * time.Millisecond, say: delta("a")}}, every(1900*time.Millisecond, 5, delta("b")), says(finish("stop"), done))}, text: "abbbbb", finish: "stop", took: 13400 * time.Millisecond},
		{name: "length", is: script{acts: says(delta("a"), finish("length"), done)}, text: "a", finish: "length"},
		{name: "filtered in the middle", is: script{acts: says(delta("a"), finish("content_filter"), done)}, text: "a", finish: "content_filter"},
		{name: "other words for the end", is: script{acts: says(delta("a"), finish("eos"), done)}, text: "a", finish: "stop"},
		{name: "no DONE", is: script{acts: says(delta("a"), finish("stop"))}, text: "a", finish: "stop"},
		{name: "no DONE and no end", is: script{acts: append(says(delta("a"), finish("stop")), act{hang: true})}, text: "a", finish: "stop", took: sec},
		{name: "no DONE, but nothing is wanting", is: script{acts: append(says(delta("a"), finish("stop"), usage), act{hang: true})}, text: "a", finish: "stop"},
		{name: "no DONE, and RST after the end", is: script{acts: append(says(delta("a"), finish("stop")), act{err: io.ErrUnexpectedEOF})}, text: "a", finish: "stop"},
		{name: "only DONE", is: script{acts: says(delta("a"), done)}, text: "a", finish: "stop"},
		{name: "DONE, and the connection stays open", is: script{acts: append(says(delta("a"), finish("stop"), done), act{hang: true})}, text: "a", finish: "stop"},
		{name: "in one piece", is: script{kind: "application/json", acts: says(`{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"length"}]}`)}, text: "whole", finish: "length"},
		{name: "in one piece, without a reason", is: script{kind: "application/json", acts: says(`{"choices":[{"message":{"content":"whole"}}]}`)}, text: "whole", finish: "stop"},
		{name: "events by the name of JSON", is: script{kind: "application/json", acts: says(delta("a"), finish("stop"), done)}, text: "a", finish: "stop"},
		{name: "events by no name", is: script{kind: "text/plain", acts: says(delta("a"), finish("stop"), done)}, text: "a", finish: "stop"},
		{name: "a character in two events", is: script{acts: says("data: {\"choices\":[{\"delta\":{\"content\":\"\xe4\xb8\"}}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"\xad!\"}}]}\n\n", finish("stop"))}, text: "中!", finish: "stop"},
		{name: "only the first choice", is: script{acts: says(delta("a"), "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"zzz\"}}]}\n\n", finish("stop"))}, text: "a", finish: "stop"},
		{name: "words after the end", is: script{acts: says(delta("a"), finish("stop"), delta("b"), done)}, text: "a", finish: "stop"},
		{name: "thinks first", is: script{acts: slices.Concat(every(1500*time.Millisecond, 5, thought), says(delta("a"), finish("stop")))}, text: "a", finish: "stop", took: 7500 * time.Millisecond},
		{name: "thinks in between", is: script{acts: slices.Concat(says(delta("a")), every(1500*time.Millisecond, 5, thought), says(delta("b"), finish("stop")))}, text: "ab", finish: "stop", took: 7500 * time.Millisecond},

		{name: "thinks for ever", is: script{acts: every(sec, 1000, thought)}, code: rag.Timeout, phase: "first_token", msg: "first word", took: 8 * sec},
		{name: "thinks, and stalls", is: script{acts: append(says(thought), act{hang: true})}, code: rag.Timeout, phase: "first_token", took: 2 * sec},
		{name: "thinks in between for ever", is: script{acts: slices.Concat(says(delta("a")), every(sec, 1000, thought))}, text: "a", code: rag.Timeout, phase: "token", took: 8 * sec},
		{name: "thinks and says nothing", is: script{acts: says(thought, finish("length"), done)}, code: rag.Unavailable, phase: "check", msg: "used up all it may write"},
		{name: "no head", is: script{hang: true}, code: rag.Timeout, phase: "queue", took: 4 * sec},
		{name: "no head, and deaf", is: script{deaf: true}, code: rag.Timeout, phase: "queue", took: 4 * sec},
		{name: "no first word", is: script{acts: []act{{hang: true}}}, code: rag.Timeout, phase: "first_token", msg: "waiting for the first word", took: 4 * sec},
		{name: "comments are no words", is: script{acts: every(100*time.Millisecond, 10000, ping)}, code: rag.Timeout, phase: "first_token", took: 4 * sec},
		{name: "nor are empty deltas", is: script{acts: every(100*time.Millisecond, 10000, empty)}, code: rag.Timeout, phase: "first_token", took: 4 * sec},
		{name: "nor is white space", is: script{acts: every(100*time.Millisecond, 10000, tokens)}, code: rag.Timeout, phase: "first_token", took: 4 * sec},
		{name: "white space as fast as it goes", is: script{acts: every(0, 10000, tokens)}, code: rag.Unavailable, phase: "first_token", msg: "nothing but white space"},
		{name: "stalls", is: script{acts: append(says(delta("a")), act{hang: true})}, text: "a", code: rag.Timeout, phase: "token", msg: "stopped in the middle", took: 2 * sec},
		{name: "comments after words", is: script{acts: slices.Concat(says(delta("a")), every(100*time.Millisecond, 10000, ping))}, text: "a", code: rag.Timeout, phase: "token", took: 2 * sec},
		{name: "white space after words", is: script{acts: slices.Concat(says(delta("a")), every(100*time.Millisecond, 10000, tokens))}, text: "a", code: rag.Timeout, phase: "token", took: 2 * sec},
		{name: "a byte now and then", is: script{acts: every(500*time.Millisecond, 1000, "d")}, code: rag.Timeout, phase: "first_token", took: 4 * sec},
		{name: "words for ever, slowly", is: script{acts: every(1100*time.Millisecond, 10000, delta("a"))}, text: strings.Repeat("a", 18), code: rag.Timeout, phase: "token", took: 20 * sec},
		{name: "words for ever, fast", is: script{acts: every(0, 10000, delta(long))}, text: long, code: rag.Unavailable, phase: "body", msg: "more than 1024 bytes"},
		{name: "a line for ever", is: script{acts: every(0, 10000, "data: "+long)}, code: rag.Unavailable, phase: "body", msg: "a line of more than 1024 bytes"},
		{name: "ends before the first word", is: script{acts: says(empty)}, code: rag.Unavailable, phase: "first_token", msg: "broke off"},
		{name: "ends in the middle", is: script{acts: says(delta("a"))}, text: "a", code: rag.Unavailable, phase: "token", msg: "broke off"},
		{name: "ends in a line", is: script{acts: says(delta("a"), brokenIn)}, text: "a", code: rag.Unavailable, phase: "token", msg: "broke off"},
		{name: "RST in the middle", is: script{acts: append(says(delta("a")), act{err: io.ErrUnexpectedEOF})}, text: "a", code: rag.Unavailable, phase: "token", msg: "broke off"},
		{name: "an error inside", is: script{acts: says("data: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n")}, code: rag.Unavailable, phase: "check", msg: "(529): overloaded"},
		{name: "an error inside, after words", is: script{acts: says(delta("a"), "event: error\ndata: {\"error\":\"no\"}\n\n")}, text: "a", code: rag.Unavailable, phase: "check", msg: "error under status 200: no"},
		{name: "an error inside, bare", is: script{acts: says(delta("a"), "{\"error\":\"no\"}\n")}, text: "a", code: rag.Unavailable, phase: "check", msg: "no"},
		{name: "an error inside, in one piece", is: script{kind: "application/json", acts: says(`{"error":{"message":"` + key + `"}}`)}, code: rag.Unavailable, phase: "check", msg: "[key]"},
		{name: "it ends in an error", is: script{acts: says(delta("a"), finish("error"))}, text: "a", code: rag.Unavailable, phase: "token", msg: "broke off"},
		{name: "nothing", is: script{acts: says(empty, finish("stop"), done)}, code: rag.Unavailable, phase: "check", msg: "answered with nothing"},
		{name: "nothing but DONE", is: script{acts: says(done)}, code: rag.Unavailable, phase: "check", msg: "answered with nothing"},
		{name: "nothing, in one piece", is: script{kind: "application/json", acts: says(`{"choices":[{"message":{"content":" "},"finish_reason":"stop"}]}`)}, code: rag.Unavailable, phase: "check", msg: "answered with nothing"},
		{name: "filtered whole", is: script{acts: says(finish("content_filter"), done)}, code: rag.Unavailable, phase: "check", msg: "content filter"},
		{name: "no JSON", is: script{acts: says(delta("a"), "data: {]\n\n")}, text: "a", code: rag.Unavailable, phase: "decode", msg: "cannot be read"},
		{name: "a page", is: script{kind: "text/html", acts: says("<html>sign in</html>")}, code: rag.Unavailable, phase: "headers", msg: "(text/html)"},
		{name: "400", is: script{status: 400, kind: "application/json", acts: says(`{"error":{"message":"too long: What is the secret illness of the patient?"}}`)}, code: rag.Invalid, phase: "headers", msg: "refused the messages (400): too long: [text]"},
		{name: "401", is: script{status: 401}, code: rag.Unavailable, phase: "headers", msg: "refused the API key (401)"},
		{name: "404", is: script{status: 404}, code: rag.Unavailable, phase: "headers", msg: `has no model "m", or no chat completions at this address`},
		{name: "a redirect", is: script{status: 307, header: []string{"Location", "http://elsewhere/"}}, code: rag.Unavailable, phase: "headers", msg: "redirect"},
		{name: "500, and its words never end", is: script{status: 500, acts: []act{{hang: true}}}, code: rag.Unavailable, phase: "headers", msg: "(500)", took: sec},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scripted{always: tt.is}
			bubble(t, cfg, s, func(t *testing.T, p *Pipeline) {
				h := chat(t.Context(), p, "u")
				if h.text != tt.text || h.took != tt.took {
					t.Errorf("%q after %s, want %q after %s", h.text, h.took, tt.text, tt.took)
				}
				if tt.finish != "" {
					if h.err != nil || h.end.FinishReason != tt.finish {
						t.Errorf("%+v, %v; want %s", h.end, h.err, tt.finish)
					}
					return
				}
				if h.end != (rag.ChatEnd{}) {
					t.Errorf("%+v beside an error", h.end)
				}
				if e := typed(t, h.err); e.Code != tt.code || e.Phase != tt.phase || !strings.Contains(e.Msg, tt.msg) {
					t.Errorf("%s in %s: %s\nwant %s in %s: … %s …", e.Code, e.Phase, e.Msg, tt.code, tt.phase, tt.msg)
				}
			})
		})
	}
}

func TestUsage(t *testing.T) {
	s := &scripted{always: well()}
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		h := chat(t.Context(), p, "u")
		if want := (rag.ChatEnd{FinishReason: "stop", PromptTokens: 5, CompletionTokens: 2}); h.end != want {
			t.Errorf("%+v, want %+v", h.end, want)
		}
	})
}

// TestCallersLeave: who leaves is back at once, and the provider is told.
func TestCallersLeave(t *testing.T) {
	stalled := script{acts: append(says(delta("a")), act{hang: true})}
	tests := []struct {
		name     string
		is       script
		after    time.Duration
		deadline bool // it is the caller's deadline, else it cancels
		code     rag.Code
		phase    string
	}{
		{"before the head", script{hang: true}, time.Second, false, rag.Canceled, "queue"},
		{"before the head, deadline", script{hang: true}, time.Second, true, rag.Timeout, "queue"},
		{"deaf", script{deaf: true}, time.Second, true, rag.Timeout, "queue"},
		{"before the first word", script{acts: []act{{hang: true}}}, time.Second, true, rag.Timeout, "first_token"},
		{"in the middle", stalled, time.Second, false, rag.Canceled, "token"},
		{"in the middle, deadline", stalled, time.Second, true, rag.Timeout, "token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scripted{always: tt.is}
			bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.deadline {
					ctx, cancel = context.WithTimeout(ctx, tt.after)
					defer cancel()
				} else {
					time.AfterFunc(tt.after, cancel)
				}
				h := chat(ctx, p, "u")
				if e := typed(t, h.err); e.Code != tt.code || e.Phase != tt.phase || h.took != tt.after {
					t.Errorf("%s in %s after %s", e.Code, e.Phase, h.took)
				}
				synctest.Wait()
				s.mu.Lock()
				defer s.mu.Unlock()
				if !tt.is.deaf && s.under != 0 {
					t.Error("the provider was not told")
				}
			})
		})
	}
}

// TestTheEndCountsOnceItIsThere: what may follow the end of an answer is no
// reason to say that the answer broke off.
func TestTheEndCountsOnceItIsThere(t *testing.T) {
	for name, leave := range map[string]func(context.CancelFunc, *Pipeline){
		"deadline": func(context.CancelFunc, *Pipeline) {},
		"cancel":   func(cancel context.CancelFunc, _ *Pipeline) { time.AfterFunc(100*time.Millisecond, cancel) },
		"close": func(_ context.CancelFunc, p *Pipeline) {
			time.AfterFunc(100*time.Millisecond, func() { _ = p.Close(context.WithoutCancel(t.Context())) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{always: script{acts: append(says(delta("whole"), finish("stop")), act{hang: true})}}
			bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				leave(cancel, p)
				if h := chat(ctx, p, "u"); h.err != nil || h.text != "whole" || h.end.FinishReason != "stop" || h.took > 300*time.Millisecond {
					t.Errorf("%+v", h)
				}
			})
		})
	}
}

// TestEmitEndsTheAnswer: its error is returned as it is.
func TestEmitEndsTheAnswer(t *testing.T) {
	s := &scripted{always: script{acts: every(time.Second, 100, delta("a"))}}
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		enough := errors.New("enough")
		n := 0
		_, err := p.Chat(t.Context(), "u", question(), func(string) error {
			if n++; n == 3 {
				return enough
			}
			return nil
		})
		if err != enough || n != 3 { //nolint:errorlint // as it is
			t.Errorf("%v after %d", err, n)
		}
		synctest.Wait()
		if s.closed != 1 {
			t.Error("the provider was not told")
		}
	})
}

// TestSlowReaders: whoever takes long to take a piece does not make the provider
// late, and has its own time bounded.
func TestSlowReaders(t *testing.T) {
	s := &scripted{always: script{acts: slices.Concat(every(0, 5, delta("a")), says(finish("stop"), done))}}
	cfg := Config{FirstToken: 2 * time.Second, TokenGap: time.Second, Timeout: 30 * time.Second}
	bubble(t, cfg, s, func(t *testing.T, p *Pipeline) {
		for name, tt := range map[string]struct {
			each time.Duration
			want rag.Code
		}{"slow": {5 * time.Second, ""}, "too slow": {20 * time.Second, rag.Timeout}} {
			_, err := p.Chat(t.Context(), "u", question(), func(string) error {
				after(tt.each)
				return nil
			})
			if rag.CodeOf(err) != tt.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		if st := p.Stats(); st.Failed != 0 {
			t.Errorf("the provider is blamed: %+v", st)
		}
	})
}

// TestClose: all leave, and nothing is left.
func TestClose(t *testing.T) {
	s := &scripted{always: script{acts: append(says(delta("a")), act{hang: true})}}
	bubble(t, Config{MaxConcurrent: 2, UserShare: 1}, s, func(t *testing.T, p *Pipeline) {
		ended := make(chan heard)
		for range 5 {
			go func() { ended <- chat(context.WithoutCancel(t.Context()), p, "u") }()
		}
		synctest.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for range 5 {
			if e := typed(t, (<-ended).err); e.Code != rag.Unavailable || !strings.Contains(e.Msg, "shutting down") {
				t.Error(e)
			}
		}
		if e := typed(t, chat(t.Context(), p, "u").err); e.Code != rag.Unavailable {
			t.Error(e)
		}
	})
}

// TestCloseIsBounded: a transport that does not end is not waited for for ever.
func TestCloseIsBounded(t *testing.T) {
	s := &scripted{always: script{deaf: true}}
	bubble(t, Config{FirstToken: time.Second}, s, func(t *testing.T, p *Pipeline) {
		chat(t.Context(), p, "u")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 answers are still under way") {
			t.Error(err)
		}
	})
}
