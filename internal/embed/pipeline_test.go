package embed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

func numbered(n int, format string) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(format, i)
	}
	return texts
}

func sizes(requests []embedtest.Request) []int {
	var n []int
	for _, r := range requests {
		n = append(n, len(r.Input))
	}
	return n
}

func TestManyBatches(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	cfg := against(s)
	cfg.MaxBatch, cfg.MaxConcurrent = 7, 3
	p := open(t, cfg)
	release := make(chan struct{})
	s.Always(embedtest.Reply{Wait: release})
	texts := numbered(100, "passage %d of many")
	done := make(chan error, 1)
	var got [][]float32
	go func() {
		var err error
		got, err = p.Embed(t.Context(), "u", rag.ForQuery, texts) // ingest would leave a slot free
		done <- err
	}()
	if err := s.Await(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if n := s.Calls(); n != 3 {
		t.Errorf("%d calls at a time, want 3", n)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, got, texts)
	if s.Calls() != 15 || s.Texts() != 100 || slices.Max(sizes(s.Requests())) != 7 {
		t.Errorf("calls of %v texts", sizes(s.Requests()))
	}
}

func TestFailsWhole(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	cfg := against(s)
	cfg.MaxBatch, cfg.MaxConcurrent = 10, 2
	p := open(t, cfg)
	s.Next(embedtest.Reply{Wait: make(chan struct{})}, embedtest.Reply{Status: 401})
	got, err := p.Embed(t.Context(), "u", rag.ForQuery, numbered(100, "t %d"))
	e := typed(t, err)
	if got != nil || e.Code != rag.Unavailable || !strings.Contains(e.Msg, "(401)") {
		t.Errorf("%v, %v", got, err)
	}
	if n := s.Calls(); n != 2 {
		t.Errorf("%d calls: the others were not cancelled", n)
	}
}

// TestBadTextIsNamed: whichever text of a call the provider refuses, the error
// says which.
func TestBadTextIsNamed(t *testing.T) {
	for _, bad := range []int{0, 1, 6, 15, 16, 24} {
		t.Run(fmt.Sprint(bad), func(t *testing.T) {
			s := embedtest.New(t, embedtest.Options{Dim: dim, MaxTextBytes: 20})
			cfg := against(s)
			cfg.MaxBatch = 16
			p := open(t, cfg)
			texts := numbered(25, "t %d")
			texts[bad] = strings.Repeat("long ", 10)
			_, err := p.Embed(t.Context(), "u", rag.ForIngest, texts)
			e := typed(t, err)
			want := fmt.Sprintf("texts[%d]", bad)
			if e.Code != rag.Invalid || e.Field != want || !strings.HasPrefix(e.Msg, want+": the embedding provider refused the text (400)") {
				t.Errorf("%+v, want %s", e, want)
			}
			if s.Calls() > 2+2*5 {
				t.Errorf("%d calls to find it", s.Calls())
			}
		})
	}
}

func TestSmallerBatchesAreLearned(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim, MaxItems: 10})
	cfg := against(s)
	cfg.MaxConcurrent = 1
	p := open(t, cfg)
	texts := numbered(64, "t %d")
	for i, want := range [][]int{
		nil, // 64, 32 and 16 are refused, 8 is accepted, then 9 and 10 are
		{10, 10, 10, 10, 10, 10, 4},
	} {
		before := s.Calls()
		got, err := p.Embed(t.Context(), "u", rag.ForIngest, texts)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, texts)
		asked := sizes(s.Requests()[before:])
		if i == 1 && !slices.Equal(asked, want) {
			t.Errorf("call %d asked for %v, want %v", i, asked, want)
		}
	}
	if p.MaxBatch() != 10 {
		t.Errorf("MaxBatch %d", p.MaxBatch())
	}
	s.Next(embedtest.Reply{Status: 400}) // a whim, at a size that was accepted before
	if _, err := p.Embed(t.Context(), "u", rag.ForIngest, texts[:8]); err != nil || p.MaxBatch() != 10 {
		t.Errorf("%v, MaxBatch %d", err, p.MaxBatch())
	}
}

// TestConcurrentCallers: each text gets its own vector, whoever else asks.
func TestConcurrentCallers(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", tls), func(t *testing.T) {
			s := embedtest.New(t, embedtest.Options{Dim: dim, TLS: tls})
			cfg := against(s)
			cfg.MaxBatch = 5
			p := open(t, cfg)
			var all sync.WaitGroup
			for c := range 32 {
				all.Go(func() {
					for round := range 4 {
						texts := numbered(1+(c+round)%13, fmt.Sprintf("caller %d round %d text %%d", c, round))
						got, err := p.Embed(t.Context(), rag.User(fmt.Sprint(c)), rag.ForQuery, texts)
						if err != nil {
							t.Error(err)
							return
						}
						same(t, got, texts)
					}
				})
			}
			all.Wait()
			if proto := s.Requests()[0].Proto; tls != (proto == "HTTP/2.0") {
				t.Errorf("spoke %s", proto)
			}
		})
	}
}

// TestLeaving: a caller whose ctx ends is told so, with the phase, whatever the
// provider is doing; and the provider sees the call end.
func TestLeaving(t *testing.T) {
	why := errors.New("why")
	tests := []struct {
		name  string
		reply embedtest.Reply
		phase []string // any of them: a stalled body may be seen before its headers are
	}{
		{"before the headers", embedtest.Reply{Fault: embedtest.StallHeaders}, []string{"headers"}},
		{"held back", embedtest.Reply{Wait: make(chan struct{})}, []string{"headers"}},
		{"in the body", embedtest.Reply{Fault: embedtest.StallBody}, []string{"headers", "body"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := embedtest.New(t, embedtest.Options{Dim: dim})
			p := open(t, against(s))
			s.Next(tt.reply)
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
				done <- err
			}()
			if err := s.Await(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			cancel(why)
			err := <-done
			e := typed(t, err)
			if e.Code != rag.Canceled || !slices.Contains(tt.phase, e.Phase) || !errors.Is(err, why) {
				t.Errorf("%+v", e)
			}
			// The slot and the connections are there again.
			if _, err := p.Embed(t.Context(), "u", rag.ForQuery, numbered(9, "t %d")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCanceledBefore(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	p := open(t, against(s))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Canceled || e.Phase != "queue" || s.Calls() != 0 {
		t.Errorf("%+v, %d calls", e, s.Calls())
	}
}

func TestClose(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	p, err := New(against(s))
	if err != nil {
		t.Fatal(err)
	}
	s.Always(embedtest.Reply{Fault: embedtest.StallHeaders})
	const callers = 12 // more than slots: some wait for one
	failed := make(chan error, callers)
	for i := range callers {
		go func() {
			// 64 texts each: a batch is full, so that all slots are taken.
			_, err := p.Embed(t.Context(), "u", rag.ForQuery, numbered(64, fmt.Sprintf("caller %d, %%d", i)))
			failed <- err
		}()
	}
	if err := s.Await(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range callers {
		if e := typed(t, <-failed); e.Code != rag.Unavailable || !errors.Is(e, errClosed) {
			t.Error(e)
		}
	}
	_, err = p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Unavailable || e.Phase != "queue" {
		t.Error(e)
	}
}

// TestCachedCallWhoseCtxEnds: an answer of the cache and the end of the ctx may
// come at the same moment.
func TestCachedCallWhoseCtxEnds(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	p := open(t, against(s))
	if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			cancel()
			close(done)
		}()
		if _, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"}); err != nil && rag.CodeOf(err) != rag.Canceled {
			t.Fatal(err)
		}
		<-done
	}
}

// TestSwitchingProtocols: the body of a 101 is the bare connection, which ends
// for nobody.
func TestSwitchingProtocols(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		}
	}()
	p := open(t, Config{BaseURL: "http://" + l.Addr().String() + "/v1", Model: "m", Dimensions: dim})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Code != rag.Unavailable && e.Code != rag.Timeout {
		t.Errorf("%+v", e)
	}
	for p.Stats().Slots > 0 {
		if t.Context().Err() != nil || ctx.Err() != nil {
			t.Fatalf("a slot is held: %+v", p.Stats())
		}
		runtime.Gosched()
	}
}
