package identity

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func anyKey(string) bool { return true }

func evening() time.Time { return noon().Add(6 * time.Hour) }

// runUses runs u until end, which waits for it.
func runUses(t *testing.T, u *uses) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); u.run(ctx) }()
	return func() { cancel(); <-ended }
}

// Several servers write into one file, in any order; of each key the latest use stays.
func TestLastUsesOfSeveralServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys.json.used")
		log := slog.New(slog.DiscardHandler)
		a, b, c := newUses(path, log, evening, anyKey), newUses(path, log, evening, anyKey), newUses(path, log, evening, anyKey)
		at := func(m int) time.Time { return noon().Add(time.Duration(m) * time.Minute) }
		endA, endB, endC := runUses(t, a), runUses(t, b), runUses(t, c)
		a.note("both", at(9))
		a.note("first", at(1))
		b.note("both", at(3)) // an earlier use that is written after a later one
		b.note("second", at(2))
		pass(usesEvery)
		pass(10 * time.Second) // two waited for the lock
		want := map[string]time.Time{"both": at(9), "first": at(1), "second": at(2)}
		if got, err := ReadUses(path); err != nil || !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("after a minute: %v %v", got, err)
		}
		c.note("both", at(11).Add(time.Millisecond)) // and what comes last is written at the end
		endA()
		endB()
		endC()
		want["both"] = at(11)
		if got, err := ReadUses(path); err != nil || !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("at the end: %v %v", got, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
	})
}

// A disk that never answers is asked once, and stalls neither a call nor the end.
func TestLastUsesOnADiskThatHangs(t *testing.T) {
	path, keys, secrets := withKeys(t, userKey(t))
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Config{KeysFile: path, now: time.Now})
		var asked atomic.Int32
		answer := make(chan struct{})
		g.uses.save = func(context.Context, map[string]time.Time) error { asked.Add(1); <-answer; return nil }
		end := runUses(t, g.uses)
		for range 5 {
			admitAndHold(t, g, secrets[0], "")
			pass(usesEvery)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("the file was written %d times at once", n)
		}
		began := time.Now()
		end()
		if took := time.Since(began); took != usesParting {
			t.Errorf("the end took %v", took)
		}
		if len(g.uses.fresh) != 1 || g.uses.fresh[keys[0].ID].IsZero() {
			t.Errorf("what was not written is lost: %v", g.uses.fresh)
		}
		close(answer)
	})
}

// A folder that may only be read is said once. Nothing is lost if it can be written later.
func TestLastUsesThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		path := filepath.Join(dir, "keys.json.used")
		var log bytes.Buffer
		u := newUses(path, slog.New(slog.NewTextHandler(&log, nil)), evening, anyKey)
		end := runUses(t, u)
		u.note("a", noon())
		pass(2*usesEvery + 30*time.Second)
		u.note("b", noon())
		pass(5 * usesEvery)
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "level=INFO") {
			t.Errorf("the log has %d lines:\n%s", n, &log)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		pass(usesEvery)
		if got, err := ReadUses(path); err != nil || len(got) != 2 {
			t.Errorf("%v %v", got, err)
		}
		end()
	})
}

// Only who was let in has used a key.
func TestWhatIsAUse(t *testing.T) {
	path, keys, secrets := withKeys(t, userKey(t), userKey(t), userKey(t))
	when := noon()
	keys[1].Revoked = &when
	save(t, path, keys)
	g := newGate(t, Config{KeysFile: path})
	own := keyPrefix + keys[2].ID + "_" + letters().EncodeToString(make([]byte, secretBytes)) // the right id, and another secret
	own += checksum(own)
	for _, s := range append(secrets[:2], own) {
		_, _ = g.Admit(t.Context(), call(t, "Bearer "+s), "")
	}
	if want := map[string]time.Time{keys[0].ID: noon()}; !maps.Equal(g.uses.fresh, want) {
		t.Errorf("%v, want %v", g.uses.fresh, want)
	}
}

func TestUsesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json.used")
	if _, err := ReadUses(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	u := newUses(path, slog.New(slog.DiscardHandler), evening, func(id string) bool { return id == "here" })
	for _, fresh := range []map[string]time.Time{
		{"gone": noon(), "here": noon()}, {"new": noon().Add(2 * time.Hour)},
	} {
		if err := u.merge(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadUses(path) // what no file of keys has is forgotten, but not at once
	if want := map[string]time.Time{"here": noon(), "new": noon().Add(2 * time.Hour)}; err != nil || !maps.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("%v %v", got, err)
	}
	// The clock was set to another year for a moment.
	for _, at := range []time.Time{noon().AddDate(70, 0, 0), noon().Add(3 * time.Hour)} {
		if err := u.merge(t.Context(), map[string]time.Time{"here": at}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ReadUses(path); err != nil || !got["here"].Equal(noon().Add(3*time.Hour)) {
		t.Errorf("after a clock that was wrong: %v %v", got, err)
	}
	for _, wrong := range []string{"", "{", `{"version":2,"used":{}}`, `{"version":1,"used":{"a":"yesterday"}}`} {
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadUses(path); err == nil {
			t.Errorf("%q is read as %v", wrong, got)
		}
		if u.merge(t.Context(), map[string]time.Time{"here": noon()}) == nil {
			t.Errorf("%q was written over", wrong)
		}
	}
	if _, err := ReadUses(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no file") { // nor is a pipe, which would be waited for
		t.Errorf("what is no file: %v", err)
	}
}
