package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/internal/rag"
)

// maxDeeds is how many lines wait to be written, beyond which they are dropped.
const maxDeeds = 4096

// Audit writes down who did what, a line of JSON for each call, without content:
// no question, text or filename. Calls never wait for it. What cannot be
// written is dropped and counted, and State says so: an audit log that could stop
// the service would be one more way to stop it.
type Audit struct {
	path   string // "": into log
	log    *slog.Logger
	deeds  chan rag.Deed
	reopen chan struct{}

	written atomic.Int64
	dropped atomic.Int64

	mu      sync.Mutex
	trouble error // of the last writing
}

// NewAudit opens path to append to, or with "log" writes into log. Run must be
// running for anything to be written.
func NewAudit(path string, log *slog.Logger) (*Audit, error) {
	a := &Audit{path: path, log: log, deeds: make(chan rag.Deed, maxDeeds), reopen: make(chan struct{}, 1)}
	if path == "log" {
		a.path = ""
		return a, nil
	}
	f, err := openAudit(path) // so that a wrong path is told at the start
	if err != nil {
		return nil, err
	}
	return a, f.Close()
}

func openAudit(path string) (*os.File, error) {
	// O_NONBLOCK: a pipe that nobody reads is an error, where opening it would wait for a reader. To a file it is nothing.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	return f, nil
}

// Note takes one line to be written. It does not wait.
func (a *Audit) Note(d rag.Deed) {
	select {
	case a.deeds <- d:
	default:
		a.dropped.Add(1)
	}
}

// Reopen has the file opened anew, after it was moved away.
func (a *Audit) Reopen() {
	select {
	case a.reopen <- struct{}{}:
	default: // it is about to be
	}
}

// Run writes until ctx ends, and then what is left.
func (a *Audit) Run(ctx context.Context) {
	w := &auditWriter{a: a}
	defer w.close(ctx)
	for {
		select {
		case d := <-a.deeds:
			w.write(ctx, d)
		case <-a.reopen:
			w.close(ctx)
		case <-ctx.Done():
			for {
				select {
				case d := <-a.deeds:
					w.write(ctx, d)
				default:
					return
				}
			}
		}
	}
}

// AuditState is how it stands with an Audit.
type AuditState struct {
	Written int64  `json:"written"`
	Dropped int64  `json:"dropped"`         // for want of room, or because they could not be written
	Error   string `json:"error,omitempty"` // of the last writing
}

// State is how it stands. It waits for nothing but a mutex.
func (a *Audit) State() AuditState {
	s := AuditState{Written: a.written.Load(), Dropped: a.dropped.Load()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trouble != nil {
		s.Error = a.trouble.Error()
	}
	return s
}

// auditWriter has the file. It belongs to Run.
type auditWriter struct {
	a      *Audit
	to     io.WriteCloser // nil: not open
	failed time.Time      // when it could not be opened or written
	cause  error          // why
}

// reopenAfter is how long after a failure the file is tried again.
const reopenAfter = time.Second

// auditLine is one line of the file.
type auditLine struct {
	Time      time.Time `json:"time"`
	Operation string    `json:"operation_id"`
	User      string    `json:"user,omitempty"`
	By        string    `json:"by,omitempty"` // the caller's kind; absent: was not let in
	KeyID     string    `json:"key,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Remote    string    `json:"remote"`
	What      string    `json:"what"`
	Document  string    `json:"document_id,omitempty"`
	Status    int       `json:"status"`
	Outcome   string    `json:"outcome"` // ok, or the code
}

func lineOf(d rag.Deed) auditLine {
	l := auditLine{
		Time: d.Time.UTC(), Operation: d.Operation, User: string(d.Caller.User), By: d.Caller.Kind, KeyID: d.Caller.KeyID,
		Issuer: d.Caller.Issuer, Remote: d.Remote, What: d.What, Document: d.Document, Status: d.Status, Outcome: string(d.Code),
	}
	if l.Outcome == "" {
		l.Outcome = "ok"
	}
	return l
}

func (w *auditWriter) write(ctx context.Context, d rag.Deed) {
	l := lineOf(d)
	if w.a.path == "" {
		w.a.log.LogAttrs(ctx, slog.LevelInfo, "audit",
			slog.String("operation_id", l.Operation), slog.String("user", l.User), slog.String("by", l.By), slog.String("key", l.KeyID),
			slog.String("issuer", l.Issuer), slog.String("remote", l.Remote), slog.String("what", l.What),
			slog.String("document_id", l.Document), slog.Int("status", l.Status), slog.String("outcome", l.Outcome))
		w.a.written.Add(1)
		return
	}
	err := w.append(l)
	if err == nil {
		w.a.written.Add(1)
	} else {
		w.a.dropped.Add(1)
	}
	w.a.mu.Lock()
	was := w.a.trouble
	w.a.trouble = err
	w.a.mu.Unlock()
	switch {
	case err != nil && was == nil:
		w.a.log.ErrorContext(ctx, "the audit log cannot be written; calls are answered all the same, and their lines are lost", "error", err)
	case err == nil && was != nil:
		w.a.log.InfoContext(ctx, "the audit log is written again", "dropped", w.a.dropped.Load())
	}
}

func (w *auditWriter) append(l auditLine) error {
	if w.to == nil {
		if !w.failed.IsZero() && time.Since(w.failed) < reopenAfter {
			return w.cause
		}
		f, err := openAudit(w.a.path)
		if err != nil {
			w.failed, w.cause = time.Now(), err
			return err
		}
		w.to, w.failed = f, time.Time{}
	}
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("a line of the audit log cannot be made: %w", err)
	}
	if _, err := w.to.Write(append(b, '\n')); err != nil { // in one piece, so that several servers may share a file
		err = errors.Join(fmt.Errorf("the audit log cannot be written: %w", err), w.to.Close())
		w.to, w.failed, w.cause = nil, time.Now(), err
		return err
	}
	return nil
}

func (w *auditWriter) close(ctx context.Context) {
	if w.to == nil {
		return
	}
	if err := w.to.Close(); err != nil {
		w.a.log.ErrorContext(ctx, "the audit log could not be closed", "error", err)
	}
	w.to = nil
}
