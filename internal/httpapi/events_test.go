package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// tape is a connection's writing side in memory.
type tape struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	written strings.Builder // what was flushed
	pending strings.Builder
	broken  bool
	// deadline is the write deadline in force.
	deadline time.Time
}

func newTape() *tape { return &tape{header: http.Header{}} }

func (p *tape) Header() http.Header { return p.header }

func (p *tape) WriteHeader(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *tape) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return 0, errors.New("broken pipe")
	}
	if time.Now().After(p.deadline) {
		return 0, errors.New("written past the write deadline")
	}
	return p.pending.Write(b)
}

func (p *tape) FlushError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written.WriteString(p.pending.String())
	p.pending.Reset()
	return nil
}

func (p *tape) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	return nil
}

func (p *tape) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.String()
}

// names are the events on the tape, heartbeats as ":".
func (p *tape) names() string {
	var names []string
	for line := range strings.Lines(p.text()) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			names = append(names, strings.TrimSpace(name))
		} else if strings.HasPrefix(line, ":") {
			names = append(names, ":")
		}
	}
	return strings.Join(names, " ")
}

// stream runs GET …/events of doc-1 in a synctest bubble. ended is closed when
// the handler has returned.
func stream(t *testing.T, h http.Handler, w http.ResponseWriter) (ended chan struct{}, leave context.CancelFunc) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	ended = make(chan struct{})
	r := request(t, http.MethodGet, "/v1/documents/doc-1/events", nil).WithContext(ctx)
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
				t.Errorf("panic: %v", v)
			}
		}()
		h.ServeHTTP(w, r)
	}()
	return ended, leave
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.put(defaultUser, "a.pdf", "x", rag.Queued)
		w := newTape()
		ended, leave := stream(t, newDoor(Config{}, newService(t, rag.Config{}, s)), w)
		defer leave()
		synctest.Wait()
		if w.names() != "progress" || w.status != 200 || w.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("at first: %d %q %q", w.status, w.header, w.text())
		}
		for i, change := range []func(*rag.Document){
			func(d *rag.Document) { d.Status = rag.Parsing },
			func(d *rag.Document) { d.Progress = rag.Progress{Done: 1, Total: 2} },
			func(*rag.Document) {}, // nothing changed: no event
			func(d *rag.Document) { d.Status = rag.Ready },
		} {
			s.change("doc-1", change)
			pass(1500 * time.Millisecond)
			synctest.Wait()
			want := []string{"progress progress", "progress progress progress", "progress progress progress", "progress progress progress done"}[i]
			if got := w.names(); got != want {
				t.Errorf("after change %d: %q, want %q", i, got, want)
			}
		}
		<-ended
		if !strings.HasSuffix(w.text(), "}\n\n") || !strings.Contains(w.text(), `"progress":{"done":1,"total":2}`) || !strings.Contains(w.text(), "event: done\ndata: {\"id\":\"doc-1\"") {
			t.Errorf("stream:\n%s", w.text())
		}
	})
}

func TestEventsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.put(defaultUser, "a.pdf", "x", rag.Queued)
		w := newTape()
		ended, leave := stream(t, newDoor(Config{}, newService(t, rag.Config{}, s)), w)
		pass(46 * time.Second)
		synctest.Wait()
		if got := w.names(); got != "progress : : :" {
			t.Errorf("after 46 s: %q", got)
		}
		leave()
		<-ended
	})
}

func TestEventsEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*shelf, *door, *tape, context.CancelFunc)
		want string // names at the end
		data string
	}{
		{"final at once", func(s *shelf, _ *door, _ *tape, _ context.CancelFunc) {
			s.change("doc-1", func(d *rag.Document) { d.Status = rag.Failed })
		}, "progress done", `"status":"failed"`},
		{"deleted", func(s *shelf, _ *door, _ *tape, _ context.CancelFunc) {
			s.mu.Lock()
			s.docs = nil
			s.mu.Unlock()
		}, "progress error", `"code":"not_found"`},
		{"store broken", func(s *shelf, _ *door, _ *tape, _ context.CancelFunc) {
			s.setHook(func(context.Context, string) error { return errors.New("secret") })
		}, "progress error", `"code":"internal"`},
		{"server stops", func(_ *shelf, d *door, _ *tape, _ context.CancelFunc) { d.drain() }, "progress error", `"code":"unavailable"`},
		{"reader left", func(_ *shelf, _ *door, _ *tape, leave context.CancelFunc) { leave() }, "progress", ""},
		{"reader stuck", func(s *shelf, _ *door, w *tape, _ context.CancelFunc) {
			w.mu.Lock()
			w.broken = true
			w.mu.Unlock()
			s.change("doc-1", func(d *rag.Document) { d.Status = rag.Parsing })
		}, "progress", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				s.put(defaultUser, "a.pdf", "x", rag.Queued)
				d := newDoor(Config{}, newService(t, rag.Config{}, s))
				w := newTape()
				ended, leave := stream(t, d, w)
				defer leave()
				synctest.Wait()
				tt.do(s, d, w, leave)
				<-ended
				if got := w.names(); got != tt.want || !strings.Contains(w.text(), tt.data) || strings.Contains(w.text(), "secret") {
					t.Errorf("got %q, want %q:\n%s", got, tt.want, w.text())
				}
				if n := d.streams.look().Now; n != 0 {
					t.Errorf("%d places are still taken", n)
				}
			})
		})
	}
}

// takenBack lets anybody in, and what was let in can be ended.
type takenBack struct {
	doorman
	mu  sync.Mutex
	end context.CancelCauseFunc // of what was held last; nil: nothing is
}

func (g *takenBack) Hold(ctx context.Context, _ rag.Caller) (context.Context, func()) {
	held, end := context.WithCancelCause(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end = end
	return held, func() {
		end(nil)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.end = nil
	}
}

func (g *takenBack) takeBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end(&rag.Error{Code: rag.Unauthorized, Msg: "the key has been revoked since this call began"})
}

func TestEventsEndWithTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.put(defaultUser, "a.pdf", "x", rag.Queued)
		g := &takenBack{}
		d := newDoor(Config{Gate: g}, newService(t, rag.Config{}, s))
		w := newTape()
		ended, leave := stream(t, d, w)
		defer leave()
		synctest.Wait()
		g.takeBack()
		<-ended
		if got := w.names(); got != "progress error" || !strings.Contains(w.text(), `"code":"unauthorized"`) || !strings.Contains(w.text(), "revoked since") {
			t.Errorf("got %q:\n%s", got, w.text())
		}
		if g.end != nil || d.streams.look().Now != 0 {
			t.Error("it is still held, or has a place")
		}
	})
}

// A stream whose key is taken back before its first event is an answer like any other.
func TestEventsEndWithTheirKeyBeforeTheyBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.put(defaultUser, "a.pdf", "x", rag.Queued)
		g := &takenBack{}
		looked := make(chan struct{})
		s.setHook(func(ctx context.Context, _ string) error {
			close(looked)
			<-ctx.Done()
			return ctx.Err()
		})
		w := newTape()
		ended, leave := stream(t, newDoor(Config{Gate: g}, newService(t, rag.Config{}, s)), w)
		defer leave()
		<-looked
		g.takeBack()
		<-ended
		if w.status != http.StatusUnauthorized || w.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%d %v", w.status, w.header)
		}
	})
}

// So does the wait for a document that was uploaded. The upload was accepted, and what
// came of it after the key's end is not told.
func TestUploadsWaitNoLongerThanTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		g := &takenBack{}
		d := newDoor(Config{Gate: g}, newService(t, rag.Config{}, s))
		done := make(chan *response)
		began := time.Now()
		go func() {
			done <- ask(t, d, request(t, http.MethodPost, "/v1/documents?wait=true", strings.NewReader(`{"filename":"a.md","text":"a"}`), "Content-Type", contentJSON))
		}()
		synctest.Wait()
		g.takeBack()
		got := <-done
		if took := time.Since(began); got.status != 202 || decode[rag.Document](t, got).Status != rag.Queued || took != 0 {
			t.Errorf("after %s: %d %s", took, got.status, got.body)
		}
		if g.end != nil || d.streams.look().Now != 0 {
			t.Error("it is still held, or has a place")
		}
	})
}

// TestStreamsBound also holds that an upload is accepted when nobody can wait
// for it.
func TestStreamsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.put(defaultUser, "a.pdf", "x", rag.Queued)
		h := newDoor(Config{MaxStreams: 1}, newService(t, rag.Config{}, s))
		ended, leave := stream(t, h, newTape())
		synctest.Wait()
		p := ask(t, h, request(t, http.MethodGet, "/v1/documents/doc-1/events", nil)).problem(t)
		if p.Code != rag.Overloaded || !strings.Contains(p.Detail, "event streams") {
			t.Errorf("second stream: %+v", p)
		}
		got := ask(t, h, request(t, http.MethodPost, "/v1/documents?wait=true", strings.NewReader(`{"filename":"b","text":"b"}`), "Content-Type", contentJSON))
		if got.status != 202 {
			t.Errorf("upload: %d %s", got.status, got.body)
		}
		leave()
		<-ended
	})
}
