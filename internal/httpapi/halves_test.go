package httpapi

import (
	"context"
	"testing"

	"weir/internal/rag"
)

// readOnly is a store that takes no writes now.
type readOnly struct{ *shelf }

func (r readOnly) Ready(ctx context.Context) error { return r.Writable(ctx) }

func (readOnly) Readable(context.Context) error { return nil }

func (readOnly) Writable(context.Context) error {
	return &rag.Error{Code: rag.Unavailable, Phase: "store", Msg: "the database takes no writes"}
}

// TestReadyForRetrieval: a server on a standby is ready for those who only ask.
func TestReadyForRetrieval(t *testing.T) {
	srv, err := Listen(t.Context(), "127.0.0.1:0", Config{Log: newLogger(&logLines{})}, newServiceWith(t, rag.Config{}, readOnly{&shelf{}}, noModel{}))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: srv}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for path, want := range map[string]int{"/readyz": 503, "/readyz?for=retrieval": 200, "/readyz?for=": 503} {
		if got := h.say(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got.status != want {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
		}
	}
	st, err := h.client(t).Status(t.Context())
	if err != nil || st.Writes != "the database takes no writes" || st.StoreError != "" {
		t.Errorf("%+v, %v", st, err)
	}
}
