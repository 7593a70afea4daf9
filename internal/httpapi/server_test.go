package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/rag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// say writes raw to a new connection and returns the answer.
func (h *house) say(t *testing.T, raw string) *response {
	t.Helper()
	c := h.dial(t)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &response{resp.StatusCode, resp.Header, b, resp.Close}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	h := newHouse(t, Config{BodyTimeout: 50 * time.Millisecond, UploadTimeout: 50 * time.Millisecond}, rag.Config{})
	form, body := formOf(t, [3]string{"file", "a.txt", "text"})
	for _, tt := range []struct{ name, head, part string }{
		{"question", "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", `{"query":`},
		{"question in chunks", "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n"},
		{"form", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form + "\r\nContent-Length: 900\r\n\r\n", body[:len(body)-20]},
		{"form without its end", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form + "\r\nContent-Length: 900\r\n\r\n", body},
		{"unread", "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.say(t, tt.head+tt.part)
			if p := got.problem(t); p.Code != rag.Timeout || !got.closes {
				t.Errorf("got %+v, %q", p, got.header)
			}
		})
	}
	if n := len(h.shelf.docs); n != 0 {
		t.Errorf("%d documents came of half an upload", n)
	}
	// Refused before its body: the answer does not wait for it.
	if got := h.say(t, "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"); got.status != 404 || !got.closes {
		t.Errorf("status %d, %q", got.status, got.header)
	}
}

func TestTooLargeIsRefusedUnread(t *testing.T) {
	h := newHouse(t, Config{MaxFileBytes: 1000}, rag.Config{MaxFileBytes: 1000})
	form, body := formOf(t, [3]string{"file", "a.txt", strings.Repeat("x", 200_000)})
	for _, tt := range []struct{ name, raw string }{
		{"declared", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form + "\r\nContent-Length: 1000000000\r\n\r\n"},
		{"expecting to be told", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: " + form + "\r\nContent-Length: 1000000000\r\n\r\n"},
		{"in chunks", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form + "\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(body), body)},
		{"question", "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.say(t, tt.raw)
			if p := got.problem(t); p.Code != rag.TooLarge || !strings.Contains(p.Detail, "10") {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestRefusedWhileSending is for clients that look for an answer when all is
// sent: what they send here is more than connections buffer.
func TestRefusedWhileSending(t *testing.T) {
	h := newHouse(t, Config{MaxFileBytes: 1000}, rag.Config{MaxFileBytes: 1000})
	const size = 30 << 20
	form, _ := formOf(t)
	for _, tt := range []struct{ name, head string }{
		{"too large", "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + form},
		{"wrong host", "POST /v1/documents HTTP/1.1\r\nHost: evil.example\r\nContent-Type: " + form},
		{"wrong path", "POST /v1/document HTTP/1.1\r\nHost: localhost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.say(t, fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", tt.head, size, strings.Repeat("x", size)))
			if p := got.problem(t); p.Status < 403 || p.Status > 413 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestLeaving holds that a caller's leaving reaches the store, on every route
// that works for long.
func TestLeaving(t *testing.T) {
	for _, tt := range []struct{ name, head, body, operation string }{
		{"question", "POST /v1/retrieve", `{"query":"a"}`, "candidates"},
		{"upload", "POST /v1/documents", `{"filename":"a","text":"a"}`, "add"},
		{"list", "GET /v1/documents", "", "documents"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, Config{BodyTimeout: time.Hour}, rag.Config{Timeout: time.Hour})
			began := make(chan struct{})
			left := make(chan struct{})
			h.shelf.setHook(func(ctx context.Context, op string) error {
				if op == tt.operation {
					close(began)
					<-ctx.Done()
					close(left)
				}
				return ctx.Err()
			})
			c := h.dial(t)
			if _, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", tt.head, len(tt.body), tt.body); err != nil {
				t.Fatal(err)
			}
			<-began
			c.Close()
			<-left
			h.log.wait(t, `"status":499`, `"code":"canceled"`)
		})
	}
}

// TestBodyDeadlineIsLifted holds that the body's deadline does not end a call
// that takes longer than it.
func TestBodyDeadlineIsLifted(t *testing.T) {
	h := newHouse(t, Config{BodyTimeout: 300 * time.Millisecond}, rag.Config{})
	h.shelf.setHook(func(ctx context.Context, op string) error {
		if op != "candidates" {
			return ctx.Err()
		}
		long := time.NewTimer(900 * time.Millisecond)
		defer long.Stop()
		select {
		case <-long.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if _, err := h.client(t).Retrieve(t.Context(), "ann", rag.Request{Query: "a"}); err != nil {
		t.Errorf("the call was ended: %v", err)
	}
}

// TestFullHouse holds that health and status answer when nothing else does.
func TestFullHouse(t *testing.T) {
	h := newHouse(t, Config{MaxRequests: 1}, rag.Config{MaxInFlight: 1, Timeout: time.Hour})
	began, goOn := make(chan struct{}), make(chan struct{})
	h.shelf.setHook(func(ctx context.Context, op string) error {
		if op != "candidates" {
			return nil
		}
		close(began)
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	c := h.client(t)
	done := make(chan error, 1)
	go func() {
		_, err := c.Retrieve(t.Context(), "ann", rag.Request{Query: "a"})
		done <- err
	}()
	<-began
	for _, path := range []string{"/healthz", "/readyz", "/v1/status"} {
		if got := h.say(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	got := h.say(t, "GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if p := got.problem(t); p.Code != rag.Overloaded || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %+v, %q", p, got.header)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSlowReaderHoldsNoSlot: the answer is far larger than what a connection
// buffers, its reader reads nothing, and the only slot is free all the same.
func TestSlowReaderHoldsNoSlot(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{MaxInFlight: 1})
	h.shelf.put(defaultUser, "big.txt", strings.Repeat("many words ", 4<<20), rag.Ready)
	h.shelf.put("ann", "small.txt", "many words", rag.Ready)
	slow := h.dial(t)
	const question = `{"query":"many words"}`
	if _, err := fmt.Fprintf(slow, "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(slow, make([]byte, 12)); err != nil { // it writes
		t.Fatal(err)
	}
	resp, err := h.client(t).Retrieve(t.Context(), "ann", rag.Request{Query: "many words"})
	if err != nil || len(resp.Chunks) != 1 {
		t.Errorf("beside a slow reader: %v, %+v", err, resp)
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	h := newHouse(t, Config{WriteTimeout: 50 * time.Millisecond}, rag.Config{})
	h.shelf.put(defaultUser, "big.txt", strings.Repeat("many words ", 4<<20), rag.Ready)
	slow := h.dial(t)
	const question = `{"query":"many words"}`
	if _, err := fmt.Fprintf(slow, "POST /v1/retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question); err != nil {
		t.Fatal(err)
	}
	h.log.wait(t, `"route":"/v1/retrieve"`) // written at the end of the call
	n, err := io.Copy(io.Discard, slow)
	if n >= 40<<20 {
		t.Errorf("all %d bytes came, %v", n, err)
	}
}

func TestKeptConnection(t *testing.T) {
	h := newHouse(t, Config{WriteTimeout: 500 * time.Millisecond}, rag.Config{})
	c := h.dial(t)
	r := bufio.NewReader(c)
	for i := range 3 {
		if _, err := io.WriteString(c, "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		line, err := r.ReadString('\n')
		if err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("request %d: %q, %v", i, line, err)
		}
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, `{"filename":"a","text":"a"}`); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		pause := time.NewTimer(600 * time.Millisecond) // the write deadline of the last answer passes
		<-pause.C
	}
}

func TestLog(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{})
	c := h.client(t)
	h.shelf.put("ann@example.com", "private-name.txt", "private content", rag.Ready)
	if _, err := c.Retrieve(t.Context(), "ann@example.com", rag.Request{Query: "private question"}); err != nil {
		t.Fatal(err)
	}
	line := h.log.wait(t, `"route":"/v1/retrieve"`)
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"method", "route", "status", "duration_ms", "operation_id", "user"} {
		if got[key] == nil {
			t.Errorf("no %s in %s", key, line)
		}
	}
	if _, err := c.Document(t.Context(), "ann@example.com", "private-id"); rag.CodeOf(err) != rag.NotFound {
		t.Fatal(err)
	}
	line += h.log.wait(t, `"status":404`, `"code":"not_found"`)
	h.shelf.setHook(func(context.Context, string) error { return errors.New("the disk is gone") })
	_, err := c.Document(t.Context(), "ann@example.com", "doc-1")
	if rag.CodeOf(err) != rag.Internal || strings.Contains(err.Error(), "disk") {
		t.Errorf("got %v", err)
	}
	failed := h.log.wait(t, `"status":500`, "the disk is gone", `"level":"ERROR"`)
	if err := json.Unmarshal([]byte(failed), &got); err != nil {
		t.Fatal(err)
	}
	if id, _ := got["operation_id"].(string); !strings.Contains(err.Error(), id) {
		t.Errorf("the caller was told %v, the log says %s", err, id)
	}
	for _, secret := range []string{"private", "ann"} {
		if strings.Contains(line+failed, secret) {
			t.Errorf("%q is in the log: %s", secret, line+failed)
		}
	}
}

func TestPanic(t *testing.T) {
	log := &logLines{}
	d := newDoor(Config{Log: newLogger(log)}, newService(t, rag.Config{}, &shelf{}))
	d.mux.Handle("/panic", d.endpoint(route{path: "/panic", handle: func(context.Context, *exchange) (reply, error) { panic("the roof") }}))
	p := ask(t, d, request(t, http.MethodGet, "/panic", nil)).problem(t)
	if p.Code != rag.Internal || strings.Contains(p.Detail, "roof") || !strings.Contains(p.Detail, p.OperationID) {
		t.Errorf("got %+v", p)
	}
	log.wait(t, "panic: the roof", p.OperationID, "server_test.go")
	if n := d.requests.look().Now; n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

func TestDrain(t *testing.T) {
	h := newHouse(t, Config{}, rag.Config{})
	id := h.shelf.put("ann", "a.txt", "a", rag.Queued)
	began, goOn := make(chan struct{}), make(chan struct{})
	h.shelf.setHook(func(_ context.Context, op string) error {
		if op == "candidates" {
			close(began)
			<-goOn
		}
		return nil
	})
	c := h.client(t)
	asked := make(chan error, 1)
	go func() {
		_, err := c.Retrieve(t.Context(), "ann", rag.Request{Query: "a"})
		asked <- err
	}()
	<-began
	watched := make(chan error, 1)
	seen := make(chan struct{})
	go func() {
		watched <- c.Watch(t.Context(), "ann", id, func(rag.Document) error { close(seen); return nil })
	}()
	<-seen
	h.stop()
	if err := <-watched; rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	close(goOn)
	if err := <-asked; err != nil {
		t.Errorf("the call under way was not finished: %v", err)
	}
	if err := <-h.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := c.Status(t.Context()); rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("after the stop: %v", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	h := newHouse(t, Config{DrainTimeout: 50 * time.Millisecond}, rag.Config{Timeout: time.Hour})
	began := make(chan struct{})
	h.shelf.setHook(func(ctx context.Context, op string) error {
		if op == "candidates" {
			close(began)
			<-ctx.Done()
		}
		return ctx.Err()
	})
	asked := make(chan error, 1)
	go func() {
		_, err := h.client(t).Retrieve(t.Context(), "ann", rag.Request{Query: "a"})
		asked <- err
	}()
	<-began
	h.stop()
	if err := <-h.done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v", err)
	}
	if err := <-asked; rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("the call was told %v", err)
	}
}

func TestListen(t *testing.T) {
	svc := newService(t, rag.Config{}, &shelf{})
	for _, tt := range []struct{ name, address, want string }{
		{"everywhere", ":0", "without authentication"},
		{"everywhere, by number", "0.0.0.0:0", "without authentication"},
		{"no port", "127.0.0.1", "missing port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Listen(t.Context(), tt.address, Config{}, svc)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	s, err := Listen(t.Context(), "localhost:0", Config{}, svc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), s.Addr(), Config{}, svc); err == nil {
		t.Error("the same address was opened twice")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Listen(t.Context(), "localhost:0", Config{Timeout: -1}, svc); err == nil {
		t.Error("a negative timeout was taken")
	}
}
