package rag

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// offers is a store that several servers work on.
type offers struct {
	*shared
	until time.Time
	made  int
}

func (o *offers) OfferVectors(_ context.Context, ttl time.Duration) error {
	o.state.Lock()
	defer o.state.Unlock()
	o.until, o.made = time.Now().Add(ttl), o.made+1
	return nil
}

func (o *offers) VectorsOffered(context.Context) (bool, error) {
	o.state.Lock()
	defer o.state.Unlock()
	return o.until.After(time.Now()), nil
}

// TestAServerWithoutAnEmbedder leaves documents to another that has one, and
// takes them when it is alone, or the other has died.
func TestAServerWithoutAnEmbedder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other Model // the embedder of the other server; zero: it has none either
		dies  bool  // before the document comes
		wait  time.Duration
		want  Model
	}{
		{name: "alone"},
		{name: "beside one that has one", other: modelA(), want: modelA()},
		{name: "beside one that has died", other: modelA(), dies: true, wait: 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &offers{shared: newShared(Model{}, false)}
				if tt.other != (Model{}) {
					stop := running(t, server(t, store, tt.other))
					synctest.Wait()
					if tt.dies {
						stop()
					} else {
						defer stop()
						<-time.NewTimer(time.Hour).C // virtual: it is said again and again
						synctest.Wait()
					}
				}
				none := newService(t, Config{}, store, &fakeEmbedder{none: true}, fakeExtractor(byLine))
				if _, err := none.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer running(t, none)()
				began := time.Now()
				store.mu.Lock()
				store.offered = false
				store.mu.Unlock()
				<-store.settled
				synctest.Wait()
				store.state.Lock()
				defer store.state.Unlock()
				if took := time.Since(began); store.outcome != "ready" || store.published != tt.want || took < tt.wait-time.Second || took > tt.wait+2*time.Second {
					t.Errorf("%s with %v after %v, want %v after %v", store.outcome, store.published, took, tt.want, tt.wait)
				}
				if (store.made > 0) != (tt.other != (Model{})) {
					t.Errorf("%d offers", store.made)
				}
			})
		})
	}
}
