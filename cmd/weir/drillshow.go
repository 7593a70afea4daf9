package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/internal/chaos"
	"weir/internal/drill"

	"github.com/jedib0t/go-pretty/v6/text"
)

// faultWidth is as wide as the longest name of a fault.
const faultWidth = 21

// drillShow prints a row when a fault ends and, on a terminal, a line below
// that says what goes on. Its methods may be called from several goroutines.
type drillShow struct {
	rows   io.Writer // nil: the rows are printed at the end, by another
	width  int       // of the terminal that the rows go to; 0: none
	status io.Writer // nil: no terminal
	began  time.Time
	total  int

	mu      sync.Mutex
	doing   string
	now     []chaos.Fault
	ended   int
	failed  int
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

func (a *app) newDrillShow(f drillFlags, total int) *drillShow {
	s := &drillShow{began: time.Now(), total: total, stop: make(chan struct{}), stopped: make(chan struct{})}
	if !f.json && !f.markdown {
		s.rows, s.width = a.stdout, a.terminalWidth(a.stdout)
	}
	if width := a.terminalWidth(a.stderr); width > 0 {
		s.status = a.stderr
	}
	go s.tick()
	return s
}

// tick keeps the line of what goes on alive, as nothing else may happen for
// seconds.
func (s *drillShow) tick() {
	defer close(s.stopped)
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.mu.Lock()
			s.draw()
			s.mu.Unlock()
		case <-s.stop:
			return
		}
	}
}

// end removes the line. It may be called more than once.
func (s *drillShow) end() {
	s.once.Do(func() {
		close(s.stop)
		<-s.stopped
		s.mu.Lock()
		defer s.mu.Unlock()
		s.clear()
	})
}

func (s *drillShow) say(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = what
	s.draw()
}

func (s *drillShow) head() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(fmt.Sprintf("     %-*s %8s %5s %5s %6s %9s %6s %6s  %s", faultWidth, "FAULT", "SLOWEST", "LATE", "HUNG", "WRONG", "REQ/CALL", "BACK", "LEFT", "CALLERS SAW"))
}

func (s *drillShow) event(e drill.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = ""
	if e.Row == nil {
		s.now = append(s.now, e.Fault)
		s.draw()
		return
	}
	s.now = slices.DeleteFunc(s.now, func(f chaos.Fault) bool { return f == e.Fault })
	s.ended++
	if len(e.Row.Complaints(drill.Limits{})) > 0 {
		s.failed++
	}
	s.print(drillLine(*e.Row))
}

// drillLine is a row as it is printed.
func drillLine(r drill.Row) string {
	mark := "ok"
	switch {
	case r.Skipped != "":
		return fmt.Sprintf("skip %-*s %s", faultWidth, r.Fault, r.Skipped)
	case len(r.Complaints(drill.Limits{})) > 0:
		mark = "FAIL"
	case r.Remark() != "":
		mark = "ok*"
	}
	return fmt.Sprintf("%-4s %-*s %8s %5d %5d %6d %9.2f %6s %6s  %s", mark, faultWidth, r.Fault, fmt.Sprintf("%.2f s", r.Slowest/1000),
		r.Late, r.Hung, r.Bad(), r.PerCall, r.Back(), fmt.Sprintf("%d/%d", r.LeftGoroutines, r.LeftConnections), r.Saw())
}

// print writes a line above the one of what goes on.
func (s *drillShow) print(line string) {
	if s.rows == nil {
		return
	}
	line = printable(line)
	if s.width > 0 {
		line = text.Snip(line, s.width, "…")
	}
	s.clear()
	fmt.Fprintln(s.rows, strings.TrimRight(line, " "))
	s.draw()
}

func (s *drillShow) draw() {
	if s.status == nil {
		return
	}
	doing := s.doing
	if doing == "" {
		names := make([]string, len(s.now))
		for i, f := range s.now {
			names[i] = string(f)
		}
		doing = strings.Join(names, ", ")
	}
	line := fmt.Sprintf("%d/%d faults, %d failed, %.0f s; now: %s", s.ended, s.total, s.failed, time.Since(s.began).Seconds(), doing)
	width := s.width
	if width == 0 {
		width = 80
	}
	fmt.Fprintf(s.status, "\r\x1b[K%s", text.Snip(line, width-1, "…"))
}

func (s *drillShow) clear() {
	if s.status != nil {
		fmt.Fprint(s.status, "\r\x1b[K")
	}
}
