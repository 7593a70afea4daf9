package main

import (
	"encoding/json"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// results is standard output. It remembers that something was not written, so
// that no command that lost its results ends well.
type results struct {
	to     io.Writer
	onLost func() // ends the command

	mu   sync.Mutex
	lost error
}

func (r *results) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.lost == nil {
			r.lost = err
			r.onLost()
		}
	}
	return n, err
}

func (r *results) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSONLine writes v as one line of JSON.
func printJSONLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// terminalWidth is the width of the terminal w writes to, or 0 when it is
// none, or one that cannot move its cursor.
func (a *app) terminalWidth(w io.Writer) int {
	if r, ok := w.(*results); ok {
		w = r.to
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || a.variable("TERM") == "dumb" {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// variable is the value of an environment variable that is no setting.
func (a *app) variable(name string) string {
	for _, e := range a.env {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:]
		}
	}
	return ""
}
