package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/httpapi"
	"weir/internal/rag"

	"github.com/spf13/cobra"
)

// finding is one line of doctor.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that Weir needs",
		Long: `Checks the settings, the data folder and its store, the disk, the address, the
reader of PDFs, the embedder and the chat model. It changes nothing but what it needs to try.
Exit code 1 when something is wrong.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := a.examine(cmd)
			if asJSON {
				if err := printJSON(a.stdout, findings); err != nil {
					return err
				}
			}
			for _, f := range findings {
				if !asJSON {
					fmt.Fprintln(a.stdout, f)
				}
			}
			for _, f := range findings {
				if !f.OK {
					return errReported
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (f finding) String() string {
	sign := "✓"
	if !f.OK {
		sign = "✗"
	}
	return fmt.Sprintf("%s %-9s %s", sign, f.Check, f.Detail)
}

func good(check, format string, args ...any) finding {
	return finding{check, true, fmt.Sprintf(format, args...)}
}

func bad(check, format string, args ...any) finding {
	return finding{check, false, fmt.Sprintf(format, args...)}
}

// patience bounds each check.
const patience = 20 * time.Second

func (a *app) examine(cmd *cobra.Command) []finding {
	ctx := cmd.Context()
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return []finding{bad("settings", "%s", explain(err))}
	}
	findings := []finding{checkSettings(&c)}
	check := func(f func(context.Context) []finding) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		findings = append(findings, f(ctx)...)
	}
	check(func(ctx context.Context) []finding { return a.checkData(ctx, c) })
	check(func(context.Context) []finding { return checkKeys(c) })
	check(func(context.Context) []finding { return []finding{checkDisk(c)} })
	check(func(ctx context.Context) []finding { return []finding{a.checkPDF(ctx, c)} })
	check(func(ctx context.Context) []finding { return []finding{checkEmbedder(ctx, c)} })
	check(func(ctx context.Context) []finding { return []finding{checkChat(ctx, c)} })
	return findings
}

func checkSettings(c *config) finding {
	if err := errors.Join(c.checkExposure(), c.checkPublic()); err != nil {
		return bad("settings", "%s", err)
	}
	var given []string
	for _, r := range c.rows() {
		if c.given(r.Setting) {
			given = append(given, r.Setting+" from "+r.From)
		}
	}
	if len(given) == 0 {
		return good("settings", "all defaults")
	}
	return good("settings", "%s; the rest defaults", strings.Join(given, ", "))
}

// checkData looks at the folder, who holds it, the store in it and the
// address. A folder that is not there yet is no fault, and is not made.
func (a *app) checkData(ctx context.Context, c config) []finding {
	if c.Store != "sqlite" {
		return []finding{a.checkStore(ctx, c), checkAddress(ctx, c)}
	}
	if _, err := os.Stat(c.Data); errors.Is(err, os.ErrNotExist) {
		parent, err := existing(c.Data)
		if err != nil {
			return []finding{bad("data", "%s cannot be made: %v", c.Data, err), checkAddress(ctx, c)}
		}
		if err := writable(parent); err != nil {
			return []finding{bad("data", "%s cannot be made in %s: %s", c.Data, parent, cause(err)), checkAddress(ctx, c)}
		}
		return []finding{good("data", "%s is not there yet and will be made", c.Data), checkAddress(ctx, c)}
	}
	if err := c.checkData(); err != nil {
		return []finding{bad("data", "%v", err), checkAddress(ctx, c)}
	}
	h, err := c.hold("doctor")
	var held *heldError
	switch {
	case errors.As(err, &held):
		return a.checkHolder(ctx, c, held)
	case err != nil:
		return []finding{bad("data", "%v", err), checkAddress(ctx, c)}
	}
	findings := []finding{good("data", "%s can be written, and nobody holds it", c.Data)}
	findings = append(findings, a.checkStore(ctx, c), checkAddress(ctx, c))
	if err := h.release(); err != nil {
		findings = append(findings, bad("data", "%v", err))
	}
	return findings
}

// checkHolder asks the server that holds the folder.
func (a *app) checkHolder(ctx context.Context, c config, held *heldError) []finding {
	note, ok := readServer(held.dir, held.pid)
	if !ok {
		return []finding{bad("data", "%v, and it is no server", held), checkAddress(ctx, c)}
	}
	findings := []finding{good("data", "%v", held)}
	to, err := note.client(patience / 2)
	if err != nil {
		return append(findings, bad("server", "%s", err))
	}
	to.Key = a.keyFor(note)
	client, err := httpapi.NewClient(to)
	if err != nil {
		return append(findings, bad("server", "%v", err))
	}
	st, err := client.Status(ctx)
	switch {
	case err != nil:
		return append(findings, bad("server", "process %d does not answer at %s: %s", note.PID, note.url(), explain(err)))
	case st.StoreError != "":
		return append(findings, bad("server", "answers at %s, but its store does not: %s", note.url(), st.StoreError))
	case st.Wrong != "":
		return append(findings, bad("server", "answers at %s, by words alone: %s", note.url(), st.Wrong))
	}
	return append(findings, good("server", "version %s answers at %s; %d documents queued, %d in work", st.Version, note.url(), st.Queued, st.Working))
}

func (a *app) checkStore(ctx context.Context, c config) finding {
	e, err := openEngine(ctx, c, c.Data, a.cacheDir(c), nil, a.logger(c.quieter()))
	if err != nil {
		return bad("store", "cannot be opened: %s", explain(err))
	}
	if s, ok := e.store.(interface{ Check(context.Context) error }); ok {
		err = s.Check(ctx)
	} else {
		err = e.store.Ready(ctx)
	}
	if closeErr := e.close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return bad("store", "%s", explain(err))
	}
	return good("store", "%s opens and is whole", c.Store)
}

func checkAddress(ctx context.Context, c config) finding {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return bad("address", "%v", portTaken(err, c.Listen))
	}
	if err := l.Close(); err != nil {
		return bad("address", "%v", err)
	}
	return good("address", "%s is free", c.Listen)
}

// lowSpace is the room on the disk below which it is told.
const lowSpace = 1 << 30

func checkDisk(c config) finding {
	dir, err := existing(c.Data)
	if err != nil {
		return bad("disk", "%v", err)
	}
	free, err := freeSpace(dir)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return good("disk", "not known on this system")
	case err != nil:
		return bad("disk", "%v", err)
	case free < lowSpace:
		return bad("disk", "only %s free at %s", size(free), dir)
	}
	return good("disk", "%s free", size(free))
}

// existing is the folder itself, or the nearest one above it that is there.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return "", fmt.Errorf("%s is no folder", dir)
		case err == nil:
			return dir, nil
		case !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

// writable tries to make a file.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".weir-doctor-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkPDF reads a PDF of one line.
func (a *app) checkPDF(ctx context.Context, c config) finding {
	began := time.Now()
	x, err := newExtractor(c, a.cacheDir(c))
	if err != nil {
		return bad("pdf", "the reader does not start: %v", err)
	}
	got, err := x.Extract(ctx, "doctor.pdf", tinyPDF("The reader of PDFs works."), nil)
	if closeErr := x.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return bad("pdf", "a sample cannot be read: %s", explain(err))
	case got.Pages != 1 || len(got.Chunks) != 1 || !strings.Contains(got.Chunks[0].Content, "PDFs works"):
		return bad("pdf", "a sample is read wrongly: %d pages, %d passages", got.Pages, len(got.Chunks))
	}
	return good("pdf", "a sample was read in %s", took(time.Since(began).Milliseconds()))
}

// tinyPDF is a PDF of one page with one line on it.
func tinyPDF(line string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	content := "BT /F1 12 Tf 72 720 Td (" + line + ") Tj ET"
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(content), content),
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
	}
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}

// checkEmbedder asks for one vector.
func checkEmbedder(ctx context.Context, c config) finding {
	if c.Embedder == "none" {
		return good("embedder", "none: search is by words alone (WEIR_EMBEDDER=builtin or openai for search by meaning)")
	}
	of := c.OpenAIBaseURL
	if c.Embedder == "builtin" {
		of = "builtin"
	}
	e, err := newEmbedder(c, nil) //nolint:contextcheck // it lives until its Close, not as long as this ctx
	if err != nil {
		return bad("embedder", "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	began := time.Now()
	vectors, err := e.Embed(ctx, defaultUser, rag.ForQuery, []string{"weir doctor"})
	if closeErr := closeEmbedder(ctx, e); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return bad("embedder", "%s: %s", of, explain(err))
	case len(vectors) != 1:
		return bad("embedder", "%s answered %d vectors for one text", of, len(vectors))
	}
	return good("embedder", "%s answered with %d values of %s in %s", of, len(vectors[0]), e.Model().Name, took(time.Since(began).Milliseconds()))
}
