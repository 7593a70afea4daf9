package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/internal/httpapi"
	"weir/internal/rag"

	"github.com/spf13/pflag"
)

// holdPatience is how long a command waits for another one to let go of the
// data folder.
const holdPatience = 10 * time.Second

// library is what ingest, search, ask and mcp work with: the rooms in this process, or
// the server that has them.
type library interface {
	Upload(ctx context.Context, user rag.User, n rag.NewDocument) (doc rag.Document, created bool, err error)
	Watch(ctx context.Context, user rag.User, id string, fn func(rag.Document) error) error
	Document(ctx context.Context, user rag.User, id string) (rag.Document, error)
	Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error)
	Passages(ctx context.Context, user rag.User, id string, first, limit int) (passages []rag.Passage, next int, err error)
	Retrieve(ctx context.Context, user rag.User, r rag.Request) (*rag.Response, error)
	Ask(ctx context.Context, user rag.User, r rag.AskRequest, emit func(rag.AskEvent) error) (*rag.Answer, error)
}

// opened is a library with what a command must know of it.
type opened struct {
	library
	server  string        // its address; empty when the rooms are in this process
	timeout time.Duration // the longest one of its calls may take
	limit   int64         // the largest document it takes
	leave   func()        // ends the calls of other commands, which it does not wait for; nil: there can be none
	close   func() error
	calls   *visits // of a lasting
}

// openLibrary opens the data folder, or the way to the server that holds it.
// With work, queued documents are worked on until close.
func (a *app) openLibrary(ctx context.Context, flags *pflag.FlagSet, c config, command string, work bool) (*opened, error) {
	h, server, err := a.holdOrReach(ctx, flags, c, command)
	if h == nil {
		return server, err
	}
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), nil, a.logger(c.quieter()))
	if err != nil {
		return nil, errors.Join(err, h.release())
	}
	a.tellMoved(ctx, e)
	if work {
		e.begin(ctx)
	}
	return &opened{library: e, timeout: c.Timeout, limit: c.MaxFileBytes, close: func() error { return errors.Join(e.close(ctx), h.release()) }}, nil
}

// dyingTime is how long a server may not be reached that has the folder still: it
// ends, or was killed and the system has not given back what it held.
const dyingTime = 2 * time.Second

// holdOrReach takes the folder, or goes through the server that has it. It returns
// one of both, or an error.
func (a *app) holdOrReach(ctx context.Context, flags *pflag.FlagSet, c config, command string) (*hold, *opened, error) {
	late := time.NewTimer(dyingTime)
	defer late.Stop()
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for {
		h, note, err := c.holdOrServer(ctx, command)
		if err != nil || h != nil {
			return h, nil, err
		}
		server, err := a.reach(ctx, flags, c, note)
		var e *rag.Error
		if !errors.As(err, &e) || e.Code != rag.Unavailable || e.Phase != "dial" {
			return nil, server, err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return nil, nil, err
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// reach goes through a server, whose own settings are in force.
func (a *app) reach(ctx context.Context, flags *pflag.FlagSet, c config, note serverNote) (*opened, error) {
	to, err := note.client(clientGrace)
	if err != nil {
		return nil, err
	}
	to.Key = a.keyFor(note)
	first, err := httpapi.NewClient(to)
	if err != nil {
		return nil, err
	}
	st, err := first.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("the server that holds the data folder (process %d) does not answer at %s: %w", note.PID, note.Address, err)
	}
	for _, name := range ignoredByServer(flags) {
		fmt.Fprintf(a.stderr, "weir: --%s has no effect here: the server at %s holds the data folder, and its own settings are in force\n", name, note.Address)
	}
	// A question may wait for as long as the server lets it, unless the user
	// has less patience.
	to.Timeout = time.Duration(st.TimeoutMS) * time.Millisecond
	if c.given("WEIR_TIMEOUT") {
		to.Timeout = min(to.Timeout, c.Timeout)
	}
	to.Timeout += clientGrace
	to.AnswerTimeout = time.Duration(st.AnswerMS)*time.Millisecond + clientGrace
	client, err := httpapi.NewClient(to)
	if err != nil {
		return nil, err
	}
	return &opened{library: client, server: note.Address, timeout: time.Duration(st.TimeoutMS) * time.Millisecond, limit: st.MaxFileBytes, close: func() error { return nil }}, nil
}

// keyFor is what the server that left the note knows this command by.
func (a *app) keyFor(note serverNote) string {
	if note.Secret != "" {
		return note.Secret
	}
	return a.variable("WEIR_API_KEY")
}

// clientGrace is how much later than the server a client gives up, so that
// the server's own error arrives; and the longest a server may take to say
// how it is, which waits for nothing.
const clientGrace = 5 * time.Second

// ignoredByServer lists the settings given as flags that only the server's
// own process could follow.
func ignoredByServer(flags *pflag.FlagSet) []string {
	var names []string
	for _, s := range settings() {
		switch s.key {
		case "data", "timeout", "log_level", "log_format", "listen":
			continue
		}
		if s.flag != "" && flags.Changed(s.flag) {
			names = append(names, s.flag)
		}
	}
	return names
}

// quieter is c for commands that report in their own words: unless the user
// asked for a level, only what they cannot tell is logged.
func (c config) quieter() config {
	if !c.given("WEIR_LOG_LEVEL") {
		c.LogLevel = slog.LevelError
	}
	return c
}
