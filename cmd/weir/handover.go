package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/rag"
)

// A weir mcp holds a data folder for as long as its client keeps it, which is
// days, and nobody thinks of it. A server that is started (anew) on the folder
// must not fail for that: it says in the folder that it wants it, the weir mcp
// ends what it has under way, lets go, and goes through the server from then on.

// wantedFile is there while a server wants the folder of a weir mcp.
const wantedFile = "wanted"

const (
	// wantedFor is how long a server waits for the folder, and for how long its
	// wish stands when it has died meanwhile.
	wantedFor = 15 * time.Second
	// wantedPoll is how often a weir mcp looks whether its folder is wanted.
	wantedPoll = 200 * time.Millisecond
	// handPatience is how long calls under way may still take then, those of the agent and
	// those of other commands alike. With what closing takes, it must fit in wantedFor.
	handPatience = 10 * time.Second
)

// wanted reports whether a server wants the folder.
func wanted(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, wantedFile))
	return err == nil && time.Since(info.ModTime()).Abs() < wantedFor // of one that lies ahead, the clock was set since
}

// holdForServer takes the data folder for a server, from a weir mcp if need be.
func (c config) holdForServer(ctx context.Context) (*hold, error) {
	const command = "serve"
	wish := filepath.Join(c.Data, wantedFile)
	h, err := c.hold(command)
	if err == nil && h.lock != nil {
		_ = os.Remove(wish) // of a server that died: a weir mcp that let go for it need not wait for it
	}
	var held *heldError
	if !errors.As(err, &held) || held.command != "mcp" {
		return h, err
	}
	if replacePrivate(wish, nil) != nil {
		return nil, err
	}
	defer os.Remove(wish) //nolint:errcheck // it is of no meaning after a while
	late := time.NewTimer(wantedFor)
	defer late.Stop()
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-late.C:
			held.asked = wantedFor
			return nil, held
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		h, err = c.hold(command)
		if !errors.As(err, &held) || held.pid != 0 && held.command != "mcp" {
			return h, err
		}
		if _, e := os.Stat(wish); errors.Is(e, fs.ErrNotExist) { // another server took back its own
			_ = replacePrivate(wish, nil) // if not now, at the next look
		}
	}
}

// leaveToServer waits while a server wants the folder, so that it gets it.
func leaveToServer(ctx context.Context, dir string) {
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for wanted(dir) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// handOver lets go of the folder whenever a server wants it, until ctx ends. It does
// not wait for a call to find who has the folder then: when the server has died meanwhile, there
// are documents to work on.
func (l *lasting) handOver(ctx context.Context, wanted func() bool) {
	tick := time.NewTicker(wantedPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := l.now.Load()
		if now.server != "" || !wanted() {
			continue
		}
		if now.leave != nil {
			now.leave()
		}
		patience := time.NewTimer(handPatience)
		select {
		case <-now.calls.end():
		case <-patience.C: // closing ends them
		case <-ctx.Done():
		}
		patience.Stop()
		_ = now.close()          // told by lasting.close, too
		_, _ = l.renew(ctx, now) // else the next call tries
	}
}

// visits are the calls under way in rooms that may be closed.
type visits struct {
	mu    sync.Mutex
	n     int
	over  bool
	empty chan struct{} // closed when over and nobody is there
}

func newVisits() *visits { return &visits{empty: make(chan struct{})} }

// enter counts a call in, unless the rooms are to be closed.
func (v *visits) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return false
	}
	v.n++
	return true
}

func (v *visits) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.n--; v.over && v.n == 0 {
		close(v.empty)
	}
}

// end lets nobody in any more; what it returns is closed when all have left.
func (v *visits) end() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over && v.n == 0 {
		close(v.empty)
	}
	v.over = true
	return v.empty
}

// unreached is the error of a call for which the folder could not be had again.
func unreached(err error) error {
	return &rag.Error{Code: rag.Unavailable, Phase: "dial", Msg: "the data folder has changed hands, and whoever has it now does not answer", Err: err}
}
