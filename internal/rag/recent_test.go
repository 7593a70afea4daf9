package rag

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		if got := r.look(time.Now()); len(got) != 0 || got == nil {
			t.Errorf("before any call: %v, want an empty list", got)
		}
		r.note(time.Now(), CallEnd{Operation: "retrieve", Timings: Timings{Total: 9000}}) // of the minute before
		<-time.NewTimer(61 * time.Second).C
		for i := range 100 {
			r.note(time.Now(), CallEnd{Operation: "retrieve", Timings: Timings{Total: float64(i + 1)}})
		}
		for _, code := range []Code{RateLimited, Overloaded, Unavailable, Timeout, Internal, Canceled} {
			r.note(time.Now(), CallEnd{Operation: "retrieve", Code: code, Timings: Timings{Total: 1e6}})
		}
		r.note(time.Now(), CallEnd{Operation: "embed", Degraded: []Degraded{{Stage: "embed"}}, Timings: Timings{Total: 3}})
		want := []Recent{
			{Operation: "retrieve", Calls: 106, Answered: 100, Refused: 2, Canceled: 1, Failed: 3, P50MS: 50, P95MS: 95, MaxMS: 100, WindowMS: 60e3},
			{Operation: "embed", Calls: 1, Answered: 1, Degraded: 1, P50MS: 3, P95MS: 3, MaxMS: 3, WindowMS: 60e3},
		}
		if got := r.look(time.Now()); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	})
}

// With more calls than are remembered it says how far back it goes.
func TestRecentForgetsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		for range 2 * recentCalls {
			r.note(time.Now(), CallEnd{Operation: "embed"})
			<-time.NewTimer(time.Millisecond).C
		}
		got := r.look(time.Now())
		if len(got) != 1 || got[0].Calls != recentCalls || got[0].WindowMS != recentCalls {
			t.Errorf("got %+v, want %d calls in as many ms", got, recentCalls)
		}
	})
}
