package rag

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// spans is a Tracer that writes down what is within what.
type spans struct {
	mu   sync.Mutex
	list []string
}

type spanKey struct{}

func (s *spans) Begin(ctx context.Context, stage string, notes ...slog.Attr) (context.Context, func(error, ...slog.Attr)) {
	path := stage
	if up, ok := ctx.Value(spanKey{}).(string); ok {
		path = up + "/" + stage
	}
	return context.WithValue(ctx, spanKey{}, path), func(err error, more ...slog.Attr) {
		line := path
		for _, n := range slices.Concat(notes, more) {
			if n.Key != "operation_id" && n.Key != "document" {
				line += " " + n.String()
			}
		}
		if err != nil {
			line += " " + string(CodeOf(err))
		}
		s.mu.Lock()
		s.list = append(s.list, line)
		s.mu.Unlock()
	}
}

func (s *spans) has(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range want {
		if !slices.Contains(s.list, w) {
			t.Errorf("there is no %q in\n%s", w, strings.Join(s.list, "\n"))
		}
	}
}

func TestSpansOfARetrieval(t *testing.T) {
	seen := &spans{}
	e := &fakeEmbedder{}
	s := newService(t, Config{Tracer: seen}, book(3, []Candidate{lex(0, 2)}, []Candidate{cos(1, 0.9)}), e, nil)
	if _, err := s.Retrieve(t.Context(), "ann", Request{Query: "what"}); err != nil {
		t.Fatal(err)
	}
	seen.has(t, "retrieve/queue", "retrieve/embed", "retrieve/search", "retrieve/pick", "retrieve mode=hybrid")
	e.embed = func(context.Context, []string) ([][]float32, error) { return nil, Errorf(Unavailable, "gone") }
	if _, err := s.Retrieve(t.Context(), "ann", Request{Query: "what"}); err != nil {
		t.Fatal(err)
	}
	seen.has(t, "retrieve/embed unavailable", "retrieve mode=lexical degraded=embed")
	if _, err := s.Retrieve(t.Context(), "ann", Request{Query: "what", Mode: Vector}); err == nil {
		t.Fatal("there is an answer")
	}
	seen.has(t, "retrieve mode=vector unavailable")
}

func TestSpansOfAnAnswer(t *testing.T) {
	seen := &spans{}
	s := newService(t, Config{Tracer: seen, Chat: saying("So [1].")}, twoPassages(), &fakeEmbedder{}, nil)
	if _, err := s.Ask(t.Context(), "ann", asking1("what"), nil); err != nil {
		t.Fatal(err)
	}
	seen.has(t, "ask/embed", "ask/search", "ask/pick", "ask/chat finish_reason=stop", "ask mode=hybrid")
	s.cfg.Chat = fakeChat(func(context.Context, ChatRequest, func(string) error) (ChatEnd, error) {
		return ChatEnd{}, Errorf(Unavailable, "gone")
	})
	if _, err := s.Ask(t.Context(), "ann", asking1("what"), nil); err != nil {
		t.Fatal(err)
	}
	seen.has(t, "ask/chat unavailable", "ask mode=hybrid degraded=answer")
}

func TestSpansOfADocument(t *testing.T) {
	seen := &spans{}
	q := newQueue("one\ntwo\nthree")
	s := newService(t, Config{IngestWorkers: 1, Tracer: seen}, q, &fakeEmbedder{batch: 2}, fakeExtractor(byLine))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	<-q.settled
	cancel()
	<-done
	seen.has(t, "ingest/parsing", "ingest/embedding texts=2", "ingest/embedding texts=1", "ingest/publish", "ingest attempt=1")
}

// A stream looks again and again; its looks are no part of a trace.
func TestLooksAreUnseen(t *testing.T) {
	seen := &spans{}
	s := newService(t, Config{Tracer: seen}, book(0, nil, nil), &fakeEmbedder{}, nil)
	_, end := s.span(unseen(t.Context()), "document")
	end(nil)
	if len(seen.list) != 0 {
		t.Errorf("saw %q", seen.list)
	}
}
