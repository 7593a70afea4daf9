package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/internal/identity"
	"weir/internal/rag"
	"weir/internal/sqlite"

	"github.com/spf13/cobra"
)

func (a *app) restoreCommand() *cobra.Command {
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the data folder",
		Long: `Puts the documents of a backup that "weir backup" made into the data folder, which must
be empty and which no server may hold. The backup is looked through first, and the copy
again. With --force, what is in the folder gives way and is kept in a folder beside it
(before-restore-<time>). Documents that were in work when the backup was made go on as
soon as a server starts.

A file of keys that is in the folder stays, so that keys which were revoked stay
revoked; when there is none, that of the backup is put there.`,
		Example: `  weir restore --data /var/lib/weir /backups/weir-20260102T030405Z.backup`,
		Args:    exactly(1, "a backup file"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.restore(cmd, args[0], force, asJSON) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "let the backup take the place of what is in the data folder, which is kept aside")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// restoreResult is what is printed of a restore.
type restoreResult struct {
	Data     string          `json:"data"`
	Aside    string          `json:"kept_aside,omitempty"`
	Keys     string          `json:"keys"` // restored, kept or none
	TookMS   int64           `json:"took_ms"`
	Manifest sqlite.Manifest `json:"manifest"`
}

// What became of the file of keys.
const (
	keysRestored = "restored"
	keysKept     = "kept"
	keysNone     = "none"
)

func (a *app) restore(cmd *cobra.Command, file string, force, asJSON bool) (err error) {
	ctx := cmd.Context()
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := errors.Join(c.checkEmbedded("restore"), c.checkData()); err != nil {
		return err
	}
	// A file that is no backup is said so before a folder is made for it.
	if _, err := sqlite.ReadManifest(file); err != nil {
		return err
	}
	if err := checkOwner(filepath.Join(c.Data, "weir.db")); err != nil {
		return err
	}
	began := time.Now()
	h, err := takeHold(c.Data, "restore")
	if err != nil {
		return secondServer(err)
	}
	defer func() { err = errors.Join(err, h.release()) }()
	if !force {
		if err := checkEmpty(c.Data); err != nil {
			return err
		}
	}
	told := a.newBackupShow()
	r, err := sqlite.Restore(ctx, sqlite.RestoreConfig{From: file, Dir: c.Data, Replace: force, Space: freeSpace, Tell: told.tell})
	told.end()
	if rag.CodeOf(err) == rag.Conflict {
		return rag.Errorf(codeOf(err), "%s; --force keeps them aside", explain(err))
	}
	if err != nil {
		return err
	}
	out := restoreResult{Data: c.Data, Aside: r.Aside, Manifest: r.Manifest}
	if out.Keys, err = h.restoreKeys(r.Keys); err != nil {
		return fmt.Errorf("the documents are restored, the file of keys is not: %w", err)
	}
	if err := tryRestored(ctx, c); err != nil {
		return fmt.Errorf("what was restored cannot be used: %w", err)
	}
	out.TookMS = time.Since(began).Milliseconds()
	if asJSON {
		return printJSON(a.stdout, out)
	}
	a.tellRestored(out)
	return nil
}

func (a *app) tellRestored(r restoreResult) {
	fmt.Fprintf(a.stdout, "%s is restored, in %s\n%s\n", r.Data, took(r.TookMS), holds(r.Manifest))
	if r.Aside != "" {
		fmt.Fprintf(a.stdout, "What was there is kept in %s; remove it when you do not need it\n", r.Aside)
	}
	switch r.Keys {
	case keysRestored:
		fmt.Fprintf(a.stdout, "The keys are those of %s: one that was revoked since is valid again; revoke it anew\n", r.Manifest.Created.Format(time.RFC3339))
	case keysKept:
		fmt.Fprintf(a.stdout, "The file of keys that was there is kept\n")
	}
}

// checkEmpty refuses a folder with files that are not Weir's housekeeping.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return folderError(dir, "read", err)
	}
	used := identity.UsesPath(savedKeys)
	ours := []string{lockFile, holderFile, wantedFile, backupLock, savedKeys, savedKeys + ".lock", used, used + ".lock", "acme", "cache", "lost+found"}
	for _, e := range entries {
		switch {
		case slices.Contains(ours, e.Name()):
		case e.Name() == "restore-not-done", e.Name() == "weir.db.restoring": // of one that was broken off
			return nil
		default:
			return rag.Errorf(rag.Conflict, "the data folder %s is not empty (it has %s); take an empty one with --data, or --force to keep aside what is there", dir, e.Name())
		}
	}
	return nil
}

// restoreKeys puts the keys of a backup into the folder, unless it has some:
// those may have been revoked since.
func (h *hold) restoreKeys(keys []byte) (string, error) {
	path := filepath.Join(h.dir, savedKeys)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return keysKept, err
	}
	if keys == nil {
		return keysNone, nil
	}
	return keysRestored, replacePrivate(path, keys)
}

// tryRestored opens the store as a server would, migrations included.
func tryRestored(ctx context.Context, c config) error {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: c.Data, IndexMemory: c.IndexMemory})
	if err != nil {
		return err
	}
	return errors.Join(s.Ready(ctx), s.Close())
}
