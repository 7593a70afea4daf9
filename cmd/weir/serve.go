package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"weir/internal/httpapi"
	"weir/internal/rag"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var (
		docs []string
		user string
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API",
		Long: `Serves the HTTP API on the address of WEIR_LISTEN, which must be a loopback one, and
works on queued documents. With --docs, files and folders are indexed first.
One server at a time holds a data folder; other commands on it go through the server.
The first SIGINT or SIGTERM lets calls under way finish, the second stops at once.`,
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
	cmd.Flags().StringArrayVar(&docs, "docs", nil, "file or folder to index first: a `PATH`; may be given again")
	cmd.Flags().StringVar(&user, "user", defaultUser, "whose documents those of --docs are: a `NAME`")
	return cmd
}

func (a *app) serve(cmd *cobra.Command, paths []string, user string) (err error) {
	ctx := cmd.Context()
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := c.checkLoopback(); err != nil {
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

	h, err := takeHold(c.Data, "serve")
	if err != nil {
		return secondServer(err)
	}
	defer func() { err = errors.Join(err, h.release()) }()
	log := a.logger(c)
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close(ctx)) }()
	server, err := httpapi.Listen(ctx, c.Listen, httpapi.Config{
		Version: thisBuild().Version, Timeout: c.Timeout, MaxFileBytes: c.MaxFileBytes, Log: log,
	}, e.Service)
	if err != nil {
		return portTaken(err, c.Listen)
	}
	if err := h.announce(server.Addr()); err != nil {
		return errors.Join(err, server.Close())
	}
	e.begin(ctx)
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
		a.tellReady(server.URL(), c, user, e.question(indexCtx, rag.User(user), ready))
	}
	return <-served
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
		return fmt.Errorf("%w (its address is http://%s); stop it first, or use another folder (--data)", held, note.Address)
	}
	return fmt.Errorf("%w; stop it first, or use another folder (--data)", held)
}

// portTaken says what to do about an address that is taken.
func portTaken(err error, address string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another program listens on %s; stop it, or take another port with --listen (--listen 127.0.0.1:0 takes a free one)", address)
	}
	return err
}

// tellReady prints the address, and a question that works as it is printed.
func (a *app) tellReady(url string, c config, user, question string) {
	mode := fmt.Sprintf("hybrid: words and vectors of %s", c.EmbeddingModel)
	if c.Embedder == "none" {
		mode = "lexical: by words alone, because there is no embedder (set OPENAI_API_KEY, or OPENAI_BASE_URL, for search by meaning)"
	}
	fmt.Fprintf(a.stdout, "Weir is ready at %s\nSearch is %s\nTry:\n  %s\n", url, mode, curl(url, user, question))
}

// curl is a command that asks the question, for a POSIX shell.
func curl(url, user, question string) string {
	body, err := json.Marshal(rag.Request{Query: question})
	if err != nil {
		body = []byte(`{"query":"hello"}`) // cannot be: a string is always JSON
	}
	header := ""
	if user != defaultUser {
		header = " -H " + quote("X-User-ID: "+user)
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

// question picks one that has an answer: of the samples a good one, else the
// title or the first words of a document.
func (e *engine) question(ctx context.Context, user rag.User, ready []rag.Document) string {
	var tries []string
	for _, d := range ready {
		if filepath.Base(d.Filename) == sampleFile {
			tries = []string{sampleQuestion}
			break
		}
		if len(tries) < maxQuestionTries {
			tries = append(tries, d.Title, e.firstWords(ctx, user, d.ID))
		}
	}
	for _, q := range tries {
		if q == "" {
			continue
		}
		if resp, err := e.Retrieve(ctx, user, rag.Request{Query: q}); err == nil && len(resp.Chunks) > 0 {
			return q
		}
	}
	return "What do my documents say?"
}

const (
	maxQuestionTries = 8
	questionWords    = 8
	questionLetters  = 60
)

func (e *engine) firstWords(ctx context.Context, user rag.User, id string) string {
	chunks, err := e.store.Chunks(ctx, user, []rag.Ref{{DocID: id}})
	if err != nil || len(chunks) == 0 {
		return ""
	}
	words := strings.Fields(chunks[0].Content)
	return text.Trim(strings.Join(words[:min(questionWords, len(words))], " "), questionLetters)
}
