package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"

	"github.com/spf13/pflag"
)

// A server that waits in vain says what it waited for. Its wish stays there
// when another server takes back its own, and goes with it.
func TestFolderThatIsNotHandedOver(t *testing.T) {
	data := t.TempDir()
	wish := filepath.Join(data, wantedFile)
	h, err := takeHold(data, "mcp")
	if err != nil {
		t.Fatal(err)
	}
	defer h.release() //nolint:errcheck // of a test's folder
	wants := func(ctx context.Context) (chan error, time.Time) {
		got := make(chan error, 1)
		go func() {
			_, err := config{Store: "sqlite", Data: data}.holdForServer(ctx)
			got <- err
		}()
		return got, time.Now()
	}
	synctest.Test(t, func(t *testing.T) {
		got, began := wants(t.Context())
		<-time.NewTimer(time.Second).C
		if err := os.Remove(wish); err != nil {
			t.Error(err)
		}
		<-time.NewTimer(time.Second).C
		if _, err := os.Stat(wish); err != nil {
			t.Errorf("the wish is gone: %v", err)
		}
		if err := secondServer(<-got); err == nil || !strings.Contains(err.Error(), "held by weir mcp") || !strings.Contains(err.Error(), "has not within 15s") || time.Since(began) != wantedFor {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if _, err := os.Stat(wish); err == nil {
			t.Error("the wish is still there")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		got, _ := wants(ctx)
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("stopped meanwhile: %v", err)
		}
	})
}

// What is let go is opened again although nobody calls: a server that wanted it
// may have died, and documents be queued. Other commands are not waited for longer than the agent.
func TestFolderIsOpenedAgainWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opens, left atomic.Int64
		l, err := newLasting(func() (*opened, error) {
			opens.Add(1)
			return &opened{library: &asked{}, timeout: time.Second, leave: func() { left.Add(1) }, close: func() error { return nil }}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			l.handOver(ctx, func() bool { return opens.Load() == 1 })
		}()
		held := l.now.Load()
		if !held.calls.enter() {
			t.Fatal("nobody is let in")
		}
		<-time.NewTimer(time.Second).C
		if left.Load() != 1 || opens.Load() != 1 {
			t.Errorf("with a call of the agent under way: the others were told to leave %d times, opened %d times", left.Load(), opens.Load())
		}
		held.calls.leave()
		<-time.NewTimer(time.Second).C
		if opens.Load() != 2 || l.now.Load() == held {
			t.Errorf("opened %d times", opens.Load())
		}
		cancel()
		<-gone
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
}

// The wish of a server that died is fulfilled with the next one, which found the folder free.
func TestWishThatAnotherServerFulfils(t *testing.T) {
	data := t.TempDir()
	write(t, data, wantedFile, "")
	h, err := config{Store: "sqlite", Data: data}.holdForServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer h.release() //nolint:errcheck // of a test's folder
	if wanted(data) {
		t.Error("a weir mcp would still wait for the server that died")
	}
}

// A server that was killed has the folder for another moment. Who finds it so
// waits for that, and takes the folder; not for long when it stays.
func TestFolderOfAServerThatDies(t *testing.T) {
	data := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		dying, err := takeHold(data, "serve")
		if err != nil {
			t.Fatal(err)
		}
		if err := dying.announce("127.0.0.1:1", ""); err != nil {
			t.Fatal(err)
		}
		a := &app{stderr: io.Discard}
		find := func() (*hold, *opened, error) {
			return a.holdOrReach(t.Context(), pflag.NewFlagSet("", pflag.ContinueOnError), config{Store: "sqlite", Data: data}, "mcp")
		}
		began := time.Now()
		if _, _, err := find(); rag.CodeOf(err) != rag.Unavailable || !strings.Contains(err.Error(), "does not answer") || time.Since(began) != dyingTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.AfterFunc(time.Second, func() { _ = dying.release() })
		h, through, err := find()
		if err != nil || h == nil || through != nil {
			t.Fatalf("%v, %v, %v", h, through, err)
		}
		if err := h.release(); err != nil {
			t.Error(err)
		}
	})
}
