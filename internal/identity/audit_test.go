package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"weir/internal/rag"
)

func deed(what string) rag.Deed {
	return rag.Deed{
		Time: noon(), Operation: "op-1", Caller: rag.Caller{User: "ann\n{}", Kind: rag.CallerKey, KeyID: "k1"}, Remote: "192.0.2.1",
		What: what, Document: "d-1", Status: 200,
	}
}

// auditing runs a until stop, in a bubble.
func auditing(t *testing.T, a *Audit) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func newTestAudit(t *testing.T, path string) *Audit {
	t.Helper()
	a, err := NewAudit(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func lines(t *testing.T, path string) []auditLine {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []auditLine
	for line := range strings.Lines(string(content)) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

func TestAuditLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var a *Audit
	refused := deed("POST /v1/retrieve")
	refused.Caller, refused.Status, refused.Code = rag.Caller{}, 401, rag.Unauthorized
	synctest.Test(t, func(t *testing.T) {
		a = newTestAudit(t, path) // in here, for its channels
		stop := auditing(t, a)
		a.Note(deed("DELETE /v1/documents/{id}"))
		a.Note(refused)
		stop()
	})
	got := lines(t, path)
	want := []auditLine{
		{noon(), "op-1", "ann\n{}", "key", "k1", "", "192.0.2.1", "DELETE /v1/documents/{id}", "d-1", 200, "ok"},
		{noon(), "op-1", "", "", "", "", "192.0.2.1", "POST /v1/retrieve", "d-1", 401, "unauthorized"},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if s := a.State(); s != (AuditState{Written: 2}) {
		t.Errorf("%+v", s)
	}
}

func TestAuditIsReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var a *Audit
	synctest.Test(t, func(t *testing.T) {
		a = newTestAudit(t, path) // in here, for its channels
		stop := auditing(t, a)
		a.Note(deed("one"))
		synctest.Wait()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		a.Reopen()
		synctest.Wait()
		a.Note(deed("two"))
		stop()
	})
	if old, now := lines(t, path+".1"), lines(t, path); len(old) != 1 || len(now) != 1 || now[0].What != "two" {
		t.Errorf("moved away: %v, new: %v", old, now)
	}
}

// A log that cannot be written stops nothing, is shown, and heals.
func TestAuditThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "audit.jsonl")
	if _, err := NewAudit(path, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a path that cannot be is taken at the start")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var a *Audit
	synctest.Test(t, func(t *testing.T) {
		a = newTestAudit(t, path) // in here, for its channels
		stop := auditing(t, a)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		a.Note(deed("lost"))
		a.Note(deed("lost too"))
		synctest.Wait()
		if s := a.State(); s.Dropped != 2 || !strings.Contains(s.Error, "audit.jsonl") {
			t.Errorf("%+v", s)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		pass(2 * reopenAfter)
		a.Note(deed("kept"))
		stop()
	})
	if s := a.State(); s != (AuditState{Written: 1, Dropped: 2}) {
		t.Errorf("%+v", s)
	}
}

// Nobody waits for a log whose disk hangs: what has no room is dropped and counted.
func TestAuditNeverBlocks(t *testing.T) {
	a := newTestAudit(t, "log") // which nobody writes
	for range maxDeeds + 7 {
		a.Note(deed("x"))
	}
	if s := a.State(); s.Dropped != 7 {
		t.Errorf("%+v", s)
	}
}

func TestAuditIntoTheLog(t *testing.T) {
	var b bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		a, err := NewAudit("log", slog.New(slog.NewJSONHandler(&b, nil)))
		if err != nil {
			t.Fatal(err)
		}
		stop := auditing(t, a)
		a.Note(deed("one"))
		stop()
	})
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["msg"] != "audit" || line["what"] != "one" || line["outcome"] != "ok" {
		t.Errorf("%v %s", err, b.Bytes())
	}
}
