package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"weir/internal/httpapi"
	"weir/internal/mcpapi"
	"weir/internal/metrics"
	"weir/internal/rag"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) mcpCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve agents (Model Context Protocol) on standard input and output",
		Long: `Speaks the Model Context Protocol on standard input and output, for clients that start
their servers themselves. The tools are retrieve, list_documents, get_document and
add_document, on the documents of one user.
If a server runs on the data folder, calls go through it. Else this holds the folder
for as long as the client keeps it, works on queued documents, and lets other
commands on the folder go through it. A server that is started takes it over.`,
		Example: `  weir mcp --data /home/me/weir-data`,
		Args:    exactly(0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.mcp(cmd, user) },
	}
	addUserFlag(cmd.Flags(), &user, "user whose documents are meant")
	return cmd
}

func (a *app) mcp(cmd *cobra.Command, user string) (err error) {
	ctx := cmd.Context()
	if err := checkUser(user); err != nil {
		return err
	}
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := c.checkData(); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	lib, err := newLasting(func() (*opened, error) { return a.openForAgents(ctx, watching, cmd.Flags(), c) })
	if err != nil {
		return err
	}
	var watch sync.WaitGroup
	if c.Store == "sqlite" {
		watch.Go(func() { lib.handOver(watching, func() bool { return wanted(c.Data) }) })
	}
	defer func() {
		stop()
		watch.Wait()
		err = errors.Join(err, lib.close())
	}()
	door, err := mcpapi.New(mcpapi.Config{Version: thisBuild().Version, Timeout: lib.now.Load().timeout, Log: a.logger(c.quieter())}, lib)
	if err != nil {
		return err
	}
	in, ok := a.stdin.(io.ReadCloser)
	if !ok {
		in = io.NopCloser(a.stdin)
	}
	if err := door.ServeStdio(ctx, rag.User(user), in, a.stdout); err != nil {
		return fmt.Errorf("the conversation on standard input broke off: %w", err)
	}
	return nil
}

// openForAgents is openLibrary for a command that stays for hours: while it has
// the folder, other commands, and other clients' weir mcp, go through it. It waits
// for the folder until waiting ends.
func (a *app) openForAgents(ctx, waiting context.Context, flags *pflag.FlagSet, c config) (*opened, error) {
	if c.Store == "sqlite" {
		leaveToServer(waiting, c.Data)
	}
	h, server, err := a.holdOrReach(waiting, flags, c, "mcp")
	if h == nil {
		return server, err
	}
	log := a.logger(c.quieter())
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), metrics.New(thisBuild().Version), log)
	if err != nil {
		return nil, errors.Join(err, h.release())
	}
	fail := func(err error) (*opened, error) { return nil, errors.Join(err, e.close(ctx), h.release()) }
	door, err := e.door(c, log)
	if err != nil {
		return fail(err)
	}
	keeper, err := newPorter(c, log)
	if err != nil {
		return fail(err)
	}
	keeper.atDoor(&door, nil)
	door.DrainTimeout = handPatience
	own, err := httpapi.Listen(ctx, "127.0.0.1:0", door, e.Service)
	if err != nil {
		return fail(err)
	}
	if err := h.announce(own.Addr(), keeper.secret); err != nil {
		return fail(errors.Join(err, own.Close()))
	}
	keeper.begin(ctx)
	a.tellMoved(ctx, e)
	e.begin(ctx)
	serveCtx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- own.Serve(serveCtx) }()
	return &opened{library: e, timeout: c.Timeout, limit: c.MaxFileBytes, leave: stop, close: func() error {
		stop()
		err := <-served
		keeper.close()
		return errors.Join(err, e.close(ctx), h.release())
	}}, nil
}
