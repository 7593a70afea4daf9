package main

import (
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"weir/internal/rag"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"
)

// show tells the user how a feed goes. Its methods are for a feed's hooks and
// may be called from several goroutines.
type show interface {
	begun(i int)
	moved(i int, doc rag.Document)
	done(i int, o outcome)
	// end is called once, after the last of the others.
	end()
}

// newShow picks bars on a terminal, JSON lines when asked, else plain lines.
func (a *app) newShow(docs []candidate, asJSON bool) show {
	if asJSON {
		return &jsonShow{out: a.stdout}
	}
	if width := a.terminalWidth(a.stderr); width > 0 && len(docs) > 0 {
		var lines io.Writer // of results; nil when they go to the same screen as the bars
		if a.terminalWidth(a.stdout) == 0 {
			lines = a.stdout
		}
		return newBarShow(a.stderr, lines, width, docs)
	}
	return &lineShow{out: a.stdout, talk: a.stderr, total: len(docs)}
}

// jsonShow writes each outcome as a line of JSON.
type jsonShow struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *jsonShow) begun(int)               {}
func (s *jsonShow) moved(int, rag.Document) {}
func (s *jsonShow) end()                    {}

func (s *jsonShow) done(_ int, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = printJSONLine(s.out, o) // a reader that left shows in the exit code of its own pipe
}

// lineShow writes a line for each document at its end.
type lineShow struct {
	mu    sync.Mutex
	out   io.Writer
	talk  io.Writer // of what is no result
	ended int
	total int

	waiting map[int]string // why, as it was told
}

func (s *lineShow) begun(int) {}
func (s *lineShow) end()      {}

// moved tells why a document waits, once for each reason: a provider that is
// gone must not look like work.
func (s *lineShow) moved(i int, doc rag.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if doc.Waiting == "" || s.waiting[i] == doc.Waiting {
		return
	}
	if s.waiting == nil {
		s.waiting = map[int]string{}
	}
	s.waiting[i] = doc.Waiting
	fmt.Fprintf(s.talk, "%s waits: %s\n", printable(doc.Filename), printable(doc.Waiting))
}

func (s *lineShow) done(_ int, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	if o.Result == resultNotRead {
		return
	}
	width := len(fmt.Sprint(s.total))
	fmt.Fprintf(s.out, "[%*d/%d] %s\n", width, s.ended, s.total, o)
}

// tenthShow writes a line at each tenth of the way.
type tenthShow struct {
	mu     sync.Mutex
	out    io.Writer
	weight func(i int) int // for how many documents of a collection one stands
	ended  int
	total  int // of weights
}

func (s *tenthShow) begun(int)               {}
func (s *tenthShow) moved(int, rag.Document) {}
func (s *tenthShow) end()                    {}

func (s *tenthShow) done(i int, _ outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.ended
	s.ended += s.weight(i)
	if s.ended*10/s.total != before*10/s.total {
		fmt.Fprintf(s.out, "%d of %d documents with text\n", s.ended, s.total)
	}
}

// String is the outcome as a line.
func (o outcome) String() string {
	line := fmt.Sprintf("%-6s  %s", o.Result, shownPath(o.Path, o.Filename))
	switch {
	case o.Error != nil:
		return line + ": " + o.reason()
	case o.Result == resultSame && o.Document.Filename != o.Filename:
		return line + "  is there already, as " + printable(o.Document.Filename) + warned(*o.Document)
	case o.Result == resultSame:
		return line + "  is there already" + warned(*o.Document)
	case o.Result == resultReady:
		return line + "  " + extent(*o.Document) + ", " + took(o.TookMS) + warned(*o.Document)
	default:
		return line
	}
}

// reason is what the error says of the document, without the name that it
// begins with and the line has already.
func (o outcome) reason() string {
	for _, sep := range []string{": ", " "} {
		for _, name := range []string{o.Filename, path.Base(o.Filename)} {
			if rest, ok := strings.CutPrefix(o.Error.Message, name+sep); ok && name != "" && rest != "" {
				return rest
			}
		}
	}
	return o.Error.Message
}

// extent says how much there is in a document.
// warned is what is to be said of a document that is not all there.
func warned(d rag.Document) string {
	if d.Warning == "" {
		return ""
	}
	return "; " + printable(d.Warning)
}

func extent(d rag.Document) string {
	s := plural(d.Chunks, "passage")
	if d.Pages > 0 {
		s = plural(d.Pages, "page") + ", " + s
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func took(ms int64) string {
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

// printable keeps a name from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

// barShow draws a bar for each document in work and one for all.
type barShow struct {
	bars    progress.Writer
	results io.Writer // nil: above the bars
	stopped chan struct{}
	all     *progress.Tracker
	docs    []candidate

	mu       sync.Mutex
	ended    int
	trackers map[int]*progress.Tracker
}

// barPace is how often bars are drawn.
const barPace = 100 * time.Millisecond

func newBarShow(screen, results io.Writer, width int, docs []candidate) *barShow {
	w := progress.NewWriter()
	w.SetOutputWriter(screen)
	w.SetUpdateFrequency(barPace)
	w.SetTerminalWidth(width)
	w.SetMessageLength(max(width/2-4, 12))
	w.SetTrackerLength(max(width/4, 8))
	w.SetSortBy(progress.SortByIndex)
	style := progress.StyleBlocks
	style.Visibility = progress.StyleVisibility{Tracker: true}
	w.SetStyle(style)
	s := &barShow{
		bars: w, results: results, docs: docs, stopped: make(chan struct{}), trackers: map[int]*progress.Tracker{},
		// The highest index, so that it stands below the others.
		all: &progress.Tracker{
			Message: fmt.Sprintf("0/%d documents", len(docs)), Total: int64(len(docs)), Index: uint64(len(docs)) + 1,
			RemoveOnCompletion: true, AutoStopDisabled: true,
		},
	}
	w.AppendTracker(s.all)
	go func() {
		defer close(s.stopped)
		w.Render()
	}()
	return s
}

func (s *barShow) begun(i int) {
	t := &progress.Tracker{
		Message: s.docs[i].shown(), Index: uint64(i), //nolint:gosec // an index is not negative
		RemoveOnCompletion: true, AutoStopDisabled: true,
	}
	s.mu.Lock()
	s.trackers[i] = t
	s.mu.Unlock()
	s.bars.AppendTracker(t)
}

func (s *barShow) moved(i int, doc rag.Document) {
	s.mu.Lock()
	t := s.trackers[i]
	s.mu.Unlock()
	message := string(doc.Status) + " " + s.docs[i].shown()
	if doc.Progress.Total > 0 {
		message = fmt.Sprintf("%s %d/%d %s", doc.Status, doc.Progress.Done, doc.Progress.Total, s.docs[i].shown())
	}
	if doc.Waiting != "" {
		message = s.docs[i].shown() + " waits: " + printable(doc.Waiting)
	}
	t.UpdateMessage(message)
	t.UpdateTotal(int64(doc.Progress.Total))
	t.SetValue(int64(doc.Progress.Done))
}

func (s *barShow) done(i int, o outcome) {
	s.mu.Lock()
	t := s.trackers[i]
	delete(s.trackers, i)
	s.ended++
	s.all.UpdateMessage(fmt.Sprintf("%d/%d documents", s.ended, len(s.docs)))
	s.mu.Unlock()
	t.MarkAsDone()
	s.all.Increment(1)
	switch {
	case o.Result == resultNotRead:
	case s.results == nil:
		s.bars.Log("%s", text.Snip(o.String(), 1000, "…"))
	default:
		s.mu.Lock()
		fmt.Fprintln(s.results, o)
		s.mu.Unlock()
	}
}

func (s *barShow) end() {
	s.all.MarkAsDone()
	// Stop does nothing as long as Render has not begun.
	tick := time.NewTicker(barPace / 10)
	defer tick.Stop()
	for {
		s.bars.Stop()
		select {
		case <-s.stopped:
			return
		case <-tick.C:
		}
	}
}
