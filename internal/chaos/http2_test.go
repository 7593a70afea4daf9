package chaos

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestHandlersAfterTheirConnection: handlers that get going while their
// connection ends are waited for, or do nothing.
func TestHandlersAfterTheirConnection(t *testing.T) {
	for range 5000 {
		var h handlers
		var working atomic.Int32
		var late sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			late.Go(func() {
				<-begin
				if !h.enter() {
					return
				}
				working.Add(1)
				working.Add(-1)
				h.all.Done()
			})
		}
		close(begin)
		h.wait()
		if n := working.Load(); n != 0 {
			t.Fatalf("%d handlers work on", n)
		}
		late.Wait()
		if h.enter() {
			t.Fatal("one entered when the connection was over")
		}
	}
}
