package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/openai"
	"weir/internal/rag"
)

const key = "sk-test-0123456789abcdef"

// act is one thing that a scripted provider does.
type act struct {
	wait time.Duration // before the rest
	say  string        // bytes of the body
	err  error         // the end of the connection
	hang bool          // until the connection is closed
}

// script is how a provider answers one call.
type script struct {
	wait   time.Duration // before the head
	status int           // 0: 200
	kind   string        // "": text/event-stream
	header []string      // pairs
	acts   []act         // then the end
	fails  error         // in place of an answer
	deaf   bool          // until released, whatever its ctx says
	hang   bool          // until its ctx ends, before the head
}

// scripted is a provider in virtual time.
type scripted struct {
	mu      sync.Mutex
	next    []script // for the next calls
	always  script
	calls   []openai.ChatRequest
	raw     string // the last of them
	head    http.Header
	closed  int // bodies
	under   int
	most    int
	release chan struct{}
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	req, err := openai.DecodeChatRequest(raw, openai.ChatLimits{Messages: 100})
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Authorization") != "Bearer "+key || !req.Stream {
		return nil, errors.New("not as it should be asked")
	}
	s.mu.Lock()
	is := s.always
	if len(s.next) > 0 {
		is, s.next = s.next[0], s.next[1:]
	}
	s.calls, s.raw, s.head = append(s.calls, req), string(raw), r.Header
	s.under++
	s.most = max(s.most, s.under)
	s.mu.Unlock()
	switch {
	case is.deaf:
		<-s.release
		err = errors.New("at last")
	case is.hang:
		<-r.Context().Done()
		err = r.Context().Err()
	default:
		if err = pause(r.Context(), is.wait); err == nil {
			err = is.fails
		}
	}
	if err != nil {
		s.over()
		return nil, err
	}
	h := http.Header{"Content-Type": {cmp.Or(is.kind, "text/event-stream; charset=utf-8")}}
	for i := 0; i < len(is.header); i += 2 {
		h.Set(is.header[i], is.header[i+1])
	}
	in, out := io.Pipe()
	go func() { //nolint:contextcheck // it is the request's
		for _, a := range is.acts {
			err := pause(r.Context(), a.wait)
			if err == nil && a.hang {
				<-r.Context().Done()
				err = r.Context().Err()
			}
			if err == nil && a.say != "" {
				_, err = io.WriteString(out, a.say)
			}
			if err = cmp.Or(err, a.err); err != nil {
				out.CloseWithError(err)
				return
			}
		}
		out.Close()
	}()
	return &http.Response{StatusCode: cmp.Or(is.status, 200), Header: h, Body: &closing{PipeReader: in, s: s}, ContentLength: -1}, nil
}

func (s *scripted) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
}

// closing counts.
type closing struct {
	*io.PipeReader
	once sync.Once
	s    *scripted
}

func (c *closing) Close() error {
	c.once.Do(func() {
		c.s.over()
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.s.closed++
	})
	return c.PipeReader.Close()
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// after waits in virtual time.
func after(d time.Duration) { <-time.NewTimer(d).C }

// delta is an event with a piece.
func delta(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s},\"finish_reason\":null}]}\n\n", b)
}

func finish(reason string) string {
	return fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":%q}]}\n\n", reason)
}

const (
	done     = "data: [DONE]\n\n"
	thought  = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
	empty    = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
	usage    = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n"
	ping     = ": ping\n\n"
	tokens   = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" \\n\"}}]}\n\n"
	brokenIn = "data: {\"choices\":[{\"index\":0,\"delta\":{\"conte"
)

// says are acts that say each without waiting.
func says(all ...string) []act {
	out := make([]act, len(all))
	for i, s := range all {
		out[i] = act{say: s}
	}
	return out
}

// every is n times the same, each after d.
func every(d time.Duration, n int, say string) []act {
	out := make([]act, n)
	for i := range out {
		out[i] = act{wait: d, say: say}
	}
	return out
}

func well() script {
	return script{acts: says(empty, delta("Hello"), delta(" world"), finish("stop"), usage, done)}
}

// bubble runs f in virtual time with a pipeline on s.
func bubble(t *testing.T, cfg Config, s *scripted, f func(t *testing.T, p *Pipeline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.release = make(chan struct{})
		cfg.APIKey, cfg.Model = key, "m"
		p, err := newPipeline(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		f(t, p)
		close(s.release)
		synctest.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if st := p.Stats(); st.Writing+st.Waiting+st.Users != 0 || p.running != 0 || len(p.flying) != 0 {
			t.Errorf("something is left: %+v", st)
		}
		if s.under != 0 {
			t.Errorf("%d bodies are open", s.under)
		}
	})
}

// heard is what a caller got.
type heard struct {
	text string
	end  rag.ChatEnd
	err  error
	took time.Duration
	last time.Duration // when the last piece came
}

func question() rag.ChatRequest {
	return rag.ChatRequest{Messages: []rag.ChatMessage{{Role: "system", Content: "Answer."}, {Role: "user", Content: "What is the secret illness of the patient?"}}}
}

func chat(ctx context.Context, p *Pipeline, u rag.User) heard {
	var h heard
	var b strings.Builder
	began := time.Now()
	h.end, h.err = p.Chat(ctx, u, question(), func(piece string) error {
		b.WriteString(piece)
		h.last = time.Since(began)
		return nil
	})
	h.text, h.took = b.String(), time.Since(began)
	return h
}

// typed checks what holds for every error of Chat.
func typed(t *testing.T, err error) *rag.Error {
	t.Helper()
	e, ok := err.(*rag.Error) //nolint:errorlint // it must be one, not wrap one
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	all := fmt.Sprintf("%v %+v %s %#v", e, e, e.Msg, e)
	for _, secret := range []string{key, key[:8], key[len(key)-8:], "secret illness"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q in %s", secret, all)
		}
	}
	if e.Phase == "" || len(e.Msg) > 600 {
		t.Errorf("phase %q, %d bytes of message", e.Phase, len(e.Msg))
	}
	return e
}
