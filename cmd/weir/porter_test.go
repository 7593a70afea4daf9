package main

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// TestThePorterIsNotWaitedForForEver: what it reads may hang, and the server is
// to end all the same.
func TestThePorterIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &porter{log: slog.New(slog.DiscardHandler)}
		hung, ended := make(chan struct{}), make(chan struct{})
		p.run(t.Context(), "hanging", func(context.Context) { <-hung })
		p.run(t.Context(), "well", func(ctx context.Context) { <-ctx.Done(); close(ended) })
		began := time.Now()
		p.close()
		if took := time.Since(began); took != porterPatience {
			t.Errorf("it took %s", took)
		}
		<-ended
		close(hung)
		synctest.Wait()
	})
}
