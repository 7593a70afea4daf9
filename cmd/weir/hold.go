package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/rag"

	"github.com/gofrs/flock"
)

// The files in the data folder that are not the store's. The lock file is
// empty and stays for ever: a new file would be another lock.
const (
	lockFile   = "lock"
	holderFile = "holder.json"
	serverFile = "server.json"
)

// holdPoll is how often a held folder is looked at again.
const holdPoll = 50 * time.Millisecond

// hold is the right to open the store of a data folder. The system takes it
// back when the process dies, however it dies; what the files say of the
// holder is for people and never decides.
type hold struct {
	dir  string
	lock *flock.Flock // nil: nothing had to be held
	tls  *tlsNote     // of the server that is announced; nil: plain HTTP
}

// heldError says that another process holds the folder.
type heldError struct {
	dir     string
	pid     int           // 0 when it is not known
	command string        // such as serve
	asked   time.Duration // for which it was asked to let go, and did not; 0: it was not asked
}

func (e *heldError) Error() string {
	if e.pid == 0 {
		return fmt.Sprintf("the data folder %s is held by another process", e.dir)
	}
	said := fmt.Sprintf("the data folder %s is held by weir %s, process %d", e.dir, e.command, e.pid)
	if e.asked > 0 {
		said += fmt.Sprintf(", which was asked to let go and has not within %v", e.asked)
	}
	return said
}

// takeHold takes the folder, which is made when it is not there, or returns a
// *heldError at once. command is the one that takes it.
func takeHold(dir, command string) (*hold, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, folderError(dir, "made", err)
	}
	h := &hold{dir: dir, lock: flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))}
	taken, err := h.lock.TryLock()
	switch {
	case err != nil:
		return nil, folderError(dir, "locked", err)
	case !taken:
		return nil, errors.Join(readHolder(dir), h.lock.Close())
	}
	if err := h.write(holderFile, holderNote{os.Getpid(), command}); err != nil {
		return nil, errors.Join(err, h.lock.Close())
	}
	return h, nil
}

// folderError says what to do about a folder that is another user's.
func folderError(dir, done string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return rag.Errorf(rag.Forbidden, "the data folder %s cannot be written by this user; change its owner or take another with --data", dir)
	}
	return fmt.Errorf("the data folder cannot be %s: %w", done, err)
}

// holderNote is holder.json, for the message to whoever comes second.
type holderNote struct {
	PID     int    `json:"pid"`
	Command string `json:"command"` // such as serve
}

func readHolder(dir string) *heldError {
	var note holderNote
	content, err := os.ReadFile(filepath.Join(dir, holderFile)) //nolint:gosec // the user's own folder
	if err != nil || json.Unmarshal(content, &note) != nil {
		return &heldError{dir: dir}
	}
	return &heldError{dir: dir, pid: note.PID, command: note.Command}
}

// write puts a note in the folder, whole or not at all.
func (h *hold) write(name string, note any) error {
	content, err := json.Marshal(note)
	if err != nil {
		return err
	}
	path := filepath.Join(h.dir, name)
	if err := replacePrivate(path, append(content, '\n')); err != nil {
		return folderError(h.dir, "written", err)
	}
	return nil
}

// replacePrivate writes a file that its owner alone may read, whole or not at
// all. What is there under the name that it grows under is never written to: it may be a
// link, or a file that others have open.
func replacePrivate(path string, content []byte) error {
	grows := path + ".new"
	if err := os.Remove(grows); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(grows, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the operator's folder
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(grows))
	}
	return os.Rename(grows, path)
}

// hold takes the data folder, where that is what has to be held: any number of
// servers may work on one database.
func (c config) hold(command string) (*hold, error) {
	if c.Store != "sqlite" {
		return &hold{}, nil
	}
	return takeHold(c.Data, command)
}

// holdOrServer is the same for a command that can go through the server.
func (c config) holdOrServer(ctx context.Context, command string) (*hold, serverNote, error) {
	if c.Store != "sqlite" {
		return &hold{}, serverNote{}, nil
	}
	return holdOrServer(ctx, c.Data, command, holdPatience)
}

// release gives the folder back.
func (h *hold) release() error {
	if h.lock == nil {
		return nil
	}
	var errs []error
	for _, name := range []string{serverFile, holderFile} {
		if err := os.Remove(filepath.Join(h.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, h.lock.Close())...)
}

// serverNote is server.json, which the server leaves for the other commands.
type serverNote struct {
	PID     int       `json:"pid"`
	Address string    `json:"address"`       // such as 127.0.0.1:8080
	TLS     *tlsNote  `json:"tls,omitempty"` // absent: it speaks plain HTTP
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Secret  string    `json:"secret,omitempty"` // of this process, for programs that may read this folder; absent: the server asks for none
}

// announce leaves the server's address, and what it knows the folder's owner by.
func (h *hold) announce(address, secret string) error {
	if h.lock == nil {
		return nil
	}
	return h.write(serverFile, serverNote{
		PID: os.Getpid(), Address: reachable(address), TLS: h.tls, Version: thisBuild().Version, Started: time.Now().UTC().Truncate(time.Second), Secret: secret,
	})
}

// readServer returns the note of the server with that pid; ok is false when
// there is none, or only one of a server that is gone.
func readServer(dir string, pid int) (note serverNote, ok bool) {
	content, err := os.ReadFile(filepath.Join(dir, serverFile)) //nolint:gosec // the user's own folder
	if err != nil || json.Unmarshal(content, &note) != nil {
		return serverNote{}, false
	}
	return note, note.PID == pid && note.Address != ""
}

// holdOrServer takes the folder, or finds the server that has it. Another
// command that has it is waited for, up to patience.
func holdOrServer(ctx context.Context, dir, command string, patience time.Duration) (*hold, serverNote, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for {
		h, err := takeHold(dir, command)
		var held *heldError
		if !errors.As(err, &held) {
			return h, serverNote{}, err
		}
		if note, ok := readServer(dir, held.pid); ok {
			return nil, note, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, serverNote{}, ctx.Err()
			}
			return nil, serverNote{}, rag.Errorf(rag.Conflict, "%w, and did not let go within %v; wait for it, or use another folder (--data)", held, patience)
		}
	}
}
