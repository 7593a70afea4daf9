package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/httpapi"
	"weir/internal/rag"

	"github.com/spf13/cobra"
)

type reembedFlags struct {
	json  bool
	force bool
}

func (a *app) reembedCommand() *cobra.Command {
	var f reembedFlags
	cmd := &cobra.Command{
		Use:   "reembed",
		Short: "Move all documents to the embedding model of the settings",
		Long: `Makes vectors of the embedding model that the settings name for all documents, of
all users, beside those in use. Questions are answered from the old ones until the
last is made; then all documents change over in one step. What was made is kept
when this is broken off, and it goes on there the next time.

Run it after a change of WEIR_EMBEDDER, WEIR_EMBEDDING_MODEL or
WEIR_EMBEDDING_DIMENSIONS, or to give vectors to documents that were indexed
without an embedder. When a server holds the data folder, the server does it, with
its own settings: restart it with the new ones first, it goes on answering with the
old model. Other servers on the same database follow within seconds.`,
		Example: `  WEIR_EMBEDDING_MODEL=text-embedding-3-large weir reembed`,
		Args:    exactly(0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.reembed(cmd, f) },
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print a line of JSON at the end, and one for each step on standard error")
	cmd.Flags().BoolVar(&f.force, "force", false, "have the server move the documents even where another one has moved them since it was started")
	return cmd
}

func (a *app) reembed(cmd *cobra.Command, f reembedFlags) (err error) {
	ctx := cmd.Context()
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	h, note, err := c.holdOrServer(ctx, "reembed")
	if err != nil {
		return err
	}
	if h == nil {
		return a.reembedThrough(cmd, c, note, f)
	}
	defer func() { err = errors.Join(err, h.release()) }()
	if c.Embedder == "none" {
		return usagef("there is no embedder to move the documents to (WEIR_EMBEDDER=none)")
	}
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), nil, a.logger(c.quieter()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close(ctx)) }()
	return a.tellMove(ctx, f, func(report func(rag.Move)) error { return e.Reembed(ctx, e.next, report) })
}

// movedJSON is the result of reembed --json, and each of its steps.
type movedJSON struct {
	From     *rag.Model   `json:"from"` // null: the documents had no vectors
	To       rag.Model    `json:"to"`
	Progress rag.Progress `json:"progress"`
	Moved    bool         `json:"moved"` // false in a step
}

// tellMove runs a move, which reports at least once, and prints how far it is, a
// line for each tenth.
func (a *app) tellMove(ctx context.Context, f reembedFlags, move func(report func(rag.Move)) error) error {
	tenth := -1
	var state movedJSON
	err := move(func(m rag.Move) {
		p := m.Progress
		state.To, state.Progress = m.To, p
		if m.From != (rag.Model{}) {
			state.From = &m.From
		}
		if p.Total <= 0 || p.Done*10/p.Total <= tenth {
			return
		}
		if tenth = p.Done * 10 / p.Total; f.json {
			_ = printJSONLine(a.stderr, state) // talk: nothing is lost with it
		} else {
			fmt.Fprintf(a.stderr, "%d of %d passages have a vector of %s\n", p.Done, p.Total, m.To.Name)
		}
	})
	if err != nil {
		if ctx.Err() != nil {
			return rag.Errorf(rag.Canceled, "stopped before the end; what was made is kept, run the command again to go on")
		}
		return err
	}
	if f.json {
		state.Moved = true
		return printJSONLine(a.stdout, state)
	}
	if state.From == nil || *state.From == state.To {
		fmt.Fprintf(a.stdout, "All %d passages have vectors of %s.\n", state.Progress.Total, state.To.Name)
		return nil
	}
	fmt.Fprintf(a.stdout, "Moved from %s to %s: %d passages.\n", state.From.Name, state.To.Name, state.Progress.Total)
	return nil
}

// reembedThrough has the server that holds the data folder do it.
func (a *app) reembedThrough(cmd *cobra.Command, c config, note serverNote, f reembedFlags) error {
	ctx := cmd.Context()
	to, err := note.client(clientGrace)
	if err != nil {
		return err
	}
	to.Key = a.keyFor(note)
	client, err := httpapi.NewClient(to)
	if err != nil {
		return err
	}
	m, err := client.StartReembed(ctx, f.force)
	if err != nil {
		return err
	}
	if named := (rag.Model{Name: c.EmbeddingModel, Dim: c.Dimensions}); c.given("WEIR_EMBEDDING_MODEL") && named.Name != m.To.Name {
		fmt.Fprintf(a.stderr, "weir: the server at %s moves the documents to %s, the model of its own settings, not to %s\n", note.Address, m.To.Name, named.Name)
	}
	return a.tellMove(ctx, f, func(report func(rag.Move)) error {
		poll := time.NewTicker(movePoll)
		defer poll.Stop()
		for {
			st, err := client.Status(ctx)
			if err != nil {
				return err
			}
			if st.Move == nil {
				return rag.Errorf(rag.Unavailable, "the server at %s was restarted; run the command again to go on", note.Address)
			}
			report(*st.Move)
			switch {
			case st.Move.Running:
			case st.Move.Error != nil:
				return &rag.Error{Code: st.Move.Error.Code, Msg: st.Move.Error.Message}
			default:
				return nil
			}
			select {
			case <-poll.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// movePoll is how often the server is asked how far it is.
const movePoll = 500 * time.Millisecond
