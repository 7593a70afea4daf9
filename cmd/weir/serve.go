package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/builtin"
	"weir/internal/chat"
	"weir/internal/embed"
	"weir/internal/httpapi"
	"weir/internal/mcpapi"
	"weir/internal/metrics"
	"weir/internal/page"
	"weir/internal/postgres"
	"weir/internal/rag"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var (
		docs []string
		user string
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API and the page",
		Long: `Serves the HTTP API, and at / a page for people, on the address of WEIR_LISTEN, and works on queued documents. An
address that others can reach needs authentication: see "weir key --help", or set
WEIR_JWT_SECRET or WEIR_JWKS_URL. With --docs, files and folders are indexed first.
One server at a time holds a data folder; other commands on it go through the server, also a
"weir mcp" that has it when the server is started.
The first SIGINT or SIGTERM lets calls under way finish, the second stops at once.
SIGHUP reads the keys, WEIR_USER_RATE, WEIR_USER_BURST and WEIR_LOG_LEVEL again, and
opens the audit log anew.`,
		Example: `  weir serve --docs ./papers
  weir serve --listen 127.0.0.1:9000 --data /var/lib/weir`,
		Args: func(cmd *cobra.Command, args []string) error {
			// weir serve --docs a b: the shell spreads a*, pflag takes one.
			if len(args) > 0 && !cmd.Flags().Changed("docs") {
				return usagef("serve takes no argument, but was given %q; to index it first: --docs %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.serve(cmd, append(slices.Clone(docs), args...), user)
		},
	}
	cmd.Flags().StringArrayVar(&docs, "docs", nil, "file or folder to index first; may be given again")
	named(cmd.Flags(), "docs", "PATH")
	addUserFlag(cmd.Flags(), &user, "user who gets the documents of --docs")
	return cmd
}

func (a *app) serve(cmd *cobra.Command, paths []string, user string) (err error) {
	ctx := cmd.Context()
	if err := checkUser(user); err != nil {
		return err
	}
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := errors.Join(c.checkExposure(), c.checkPublic(), c.checkData()); err != nil {
		return err
	}
	docs, left, err := collect(ctx, paths, "", c.Data)
	if err != nil {
		return err
	}
	if err := sameNames(docs); err != nil {
		return err
	}
	a.tellSkipped(left)
	if err := tryAddress(ctx, c); err != nil {
		return err
	}
	h, err := c.holdForServer(ctx)
	switch {
	case errors.Is(err, context.Canceled): // told to stop while it waited, and it does
		return nil
	case err != nil:
		return secondServer(err)
	}
	defer func() { err = errors.Join(err, h.release()) }()
	level := new(slog.LevelVar)
	level.Set(c.LogLevel)
	log := a.loggerAt(c, level)
	keeper, err := newPorter(c, log)
	if err != nil {
		return err
	}
	a.tellOpen(c)
	cert, err := openCertificate(c, log)
	if err != nil {
		return err
	}
	m := metrics.New(thisBuild().Version)
	if c.to, err = a.openTraces(ctx, c, m, log); err != nil {
		return err
	}
	defer closeTraces(ctx, c.to, log)
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), m, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close(ctx)) }()
	door, err := e.door(c, log)
	if err != nil {
		return err
	}
	keeper.atDoor(&door, m)
	c.expose(&door, cert)
	h.tls = cert.note(c)
	server, err := httpapi.Listen(ctx, c.Listen, door, e.Service)
	if err != nil {
		return portTaken(err, c.Listen)
	}
	if err := h.announce(server.Addr(), keeper.secret); err != nil {
		return errors.Join(err, server.Close())
	}
	keeper.begin(ctx)
	defer keeper.close()
	reloads := &reloader{app: a, flags: cmd.Flags(), now: c, porter: keeper, level: level, log: log}
	keeper.run(ctx, "reading the settings again", reloads.follow)
	a.tellMoved(ctx, e)
	stopProfiles, err := a.profile(ctx, c, log)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	defer stopProfiles()
	defer cert.begin(context.WithoutCancel(ctx))()
	e.begin(ctx)
	return a.answer(ctx, server, e, c, docs, user)
}

// answer serves until ctx ends, and brings in the documents of --docs meanwhile.
func (a *app) answer(ctx context.Context, server *httpapi.Server, e *engine, c config, docs []candidate, user string) error {
	indexCtx, stopIndexing := context.WithCancel(ctx)
	defer stopIndexing()
	// Calls under way when ctx ends still need the store: Serve returns after
	// them, and only then the rest is put down.
	served := make(chan error, 1)
	go func() {
		err := server.Serve(ctx)
		stopIndexing() // there is nobody to index for
		served <- err
	}()
	ready := a.index(indexCtx, e, c, docs, user)
	if indexCtx.Err() == nil {
		a.tellReady(c, server.URL(), e.searchIs(indexCtx), user, question(ready))
	}
	return <-served
}

// door is how the server is to be, with all that can be seen of the engine.
func (e *engine) door(c config, log *slog.Logger) (httpapi.Config, error) {
	agents, err := mcpapi.New(mcpapi.Config{Version: thisBuild().Version, Timeout: c.Timeout, Log: log}, e.Service)
	if err != nil {
		return httpapi.Config{}, err
	}
	front, err := page.New()
	if err != nil {
		return httpapi.Config{}, err
	}
	d := httpapi.Config{
		Version: thisBuild().Version, Timeout: c.Timeout, AnswerTimeout: c.ChatTimeout, MaxFileBytes: c.MaxFileBytes, Log: log, Page: front,
		Metrics: e.metrics.Handler(), Observer: e.metrics,
		MCP: agents.ServeUser,
	}
	var stats func() embed.Stats
	if e.pipeline() != nil {
		stats = func() embed.Stats {
			if p := e.pipeline(); p != nil {
				return p.Stats()
			}
			return embed.Stats{} // documents were moved to a model without a provider
		}
		d.Pipeline = func() any { return stats() }
	}
	e.metrics.Watch(e.Load, stats)
	if p, ok := e.chat.(*chat.Pipeline); ok {
		d.Chat = func() any { return p.Stats() }
		e.metrics.WatchChat(p.Stats)
	}
	return d, nil
}

// index brings in the documents of --docs, and returns those that are
// searchable.
func (a *app) index(ctx context.Context, e *engine, c config, docs []candidate, user string) []rag.Document {
	if len(docs) == 0 {
		return nil
	}
	// What is printed here is talk: the results of serve are its address.
	talk := *a
	talk.stdout = a.stderr
	t := talk.feed(ctx, e, c.MaxFileBytes, ingestFlags{user: user}, docs)
	_ = talk.tellTally(ctx, t, "") // a document that failed is told, and no reason not to serve the others
	return t.ready
}

// secondServer says what to do about a folder that is held.
func secondServer(err error) error {
	var held *heldError
	if !errors.As(err, &held) {
		return err
	}
	if note, ok := readServer(held.dir, held.pid); ok {
		return rag.Errorf(rag.Conflict, "%w (its address is %s); stop it first, or use another folder (--data)", held, note.url())
	}
	return rag.Errorf(rag.Conflict, "%w; stop it first, or use another folder (--data)", held)
}

// portTaken says what to do about an address that is taken.
func portTaken(err error, address string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return rag.Errorf(rag.Conflict, "another program listens on %s; stop it, or take another port with --listen (--listen 127.0.0.1:0 takes a free one)", address)
	}
	if _, port, splitErr := net.SplitHostPort(address); splitErr == nil && errors.Is(err, fs.ErrPermission) {
		if n, atoiErr := strconv.Atoi(port); atoiErr == nil && n < firstFreePort {
			return rag.Errorf(rag.Forbidden, "this user may not listen on %s: ports below %d need privileges; take another with --listen", address, firstFreePort)
		}
	}
	return err
}

// firstFreePort is the first that needs no privileges.
const firstFreePort = 1024

// tryAddress says that the address cannot be had before a data folder is made
// for nothing. A folder that is there is left to say first who holds it.
func tryAddress(ctx context.Context, c config) error {
	if _, err := os.Stat(c.Data); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return portTaken(err, c.Listen)
	}
	return l.Close()
}

// searchIs says in words what a search does now.
func (e *engine) searchIs(ctx context.Context) string {
	in := e.Model()
	switch {
	case in == rag.Model{}:
		return "lexical: by words alone, because there is no embedder (WEIR_EMBEDDER=none)"
	case !e.HasProvider():
		return "by words alone: the documents' vectors are of " + in.Name + ", and no provider is set for it"
	}
	if old, ok := e.store.(*postgres.Adopted); ok {
		// A look that fails is told to those who search.
		if found, err := old.Sample(ctx, in); err == nil && found.Vector == nil {
			return "by words alone as far as can be seen: no vector of " + in.Name + " was found in the tables"
		}
	}
	mode := "hybrid: words and vectors of " + in.Name
	if in.Name == builtin.Name {
		mode += ", the model inside this program"
	}
	return mode
}

// tellReady prints the address, what it is good for, and a command that asks the
// question if there is one.
func (a *app) tellReady(c config, url, mode, user, question string) {
	ready := fmt.Sprintf("Weir is ready at %s\nSearch is %s\n", url, mode)
	if c.ChatModel != "" {
		ready += "Answers are written by " + c.ChatModel + "\n"
	}
	switch {
	case question != "":
		ready += fmt.Sprintf("Open that address in a browser, or try:\n  %s\n", curl(url, user, question, c.authenticates()))
	case c.Store == "postgres" && c.DatabaseLayout == "adopted":
		ready += "Open that address in a browser to ask; these documents are another system's and are only read\n"
	default:
		ready += "Open that address in a browser to add documents and to ask\n"
	}
	fmt.Fprint(a.stdout, ready)
}

// curl is a command that asks the question, for a POSIX shell.
func curl(url, user, question string, withKey bool) string {
	body, err := json.Marshal(rag.Request{Query: question})
	if err != nil {
		body = []byte(`{"query":"hello"}`) // cannot be: a string is always JSON
	}
	header := ""
	if user != defaultUser {
		header = " -H " + quote("X-User-ID: "+user)
	}
	if withKey {
		header += ` -H "Authorization: Bearer $WEIR_API_KEY"`
	}
	return fmt.Sprintf("curl -s %s/v1/retrieve -H 'Content-Type: application/json'%s -d %s", url, header, quote(string(body)))
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// The sample handbook, and a question that it answers.
const (
	sampleFile     = "plan-handbook.pdf"
	sampleQuestion = "How many hours must I use my CPAP machine before the plan buys it?"
)

// question is one to try: of the samples one that they answer, else one that
// gives away nothing of the documents; empty when there is nothing to ask
// about.
func question(ready []rag.Document) string {
	if len(ready) == 0 {
		return ""
	}
	for _, d := range ready {
		if path.Base(d.Filename) == sampleFile {
			return sampleQuestion
		}
	}
	return "What is this about?"
}
