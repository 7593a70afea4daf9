package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/rag"
	"weir/internal/sqlite"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
)

const (
	// backupLock is held by the one backup of a data folder that is under way. The server holds another.
	backupLock = "backup.lock"
	// savedKeys is the file of keys in the data folder, which a backup takes along.
	savedKeys = "keys.json"
	// maxKeysFile is the largest one that is read.
	maxKeysFile = 64 << 20
)

func (a *app) backupCommand() *cobra.Command {
	var force, verify, asJSON bool
	cmd := &cobra.Command{
		Use:   "backup FILE|FOLDER",
		Short: "Save the data folder to one file, while the server runs",
		Long: `Saves the documents of all users, with all that was made of them and the work that is
queued, to one file. A server may run on the data folder and take uploads meanwhile:
what it acknowledged before is in the file. The file is looked through before it gets
its name. Into a folder, it is called weir-<time>.backup.

With --verify, looks through a backup and writes nothing.

The file holds what the documents say: keep it as you keep them. It holds the hashes of
API keys (keys.json in the data folder), not the keys; no other secret and no setting.`,
		Example: `  weir backup --data /var/lib/weir /backups
  weir backup --verify /backups/weir-20260102T030405Z.backup`,
		Args: exactly(1, "a file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if verify {
				return a.verifyBackup(cmd.Context(), args[0], asJSON)
			}
			return a.backup(cmd, args[0], force, asJSON)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE when it is there")
	cmd.Flags().BoolVar(&verify, "verify", false, "look through the backup FILE instead of making one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// backupResult is what is printed of a backup.
type backupResult struct {
	File     string          `json:"file"`
	Bytes    int64           `json:"bytes"`
	TookMS   int64           `json:"took_ms"`
	Manifest sqlite.Manifest `json:"manifest"`
}

func (a *app) backup(cmd *cobra.Command, target string, force, asJSON bool) (err error) {
	ctx := cmd.Context()
	c, err := a.loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if err := c.checkEmbedded("backup"); err != nil {
		return err
	}
	began := time.Now()
	file, err := backupFile(target, began)
	if err != nil {
		return err
	}
	if err := checkOwner(filepath.Join(c.Data, "weir.db")); err != nil {
		return err
	}
	if info, err := os.Stat(c.Data); err != nil || !info.IsDir() {
		return rag.Errorf(rag.NotFound, "there is no data folder %s to back up; name it with --data", c.Data)
	}
	lock := flock.New(filepath.Join(c.Data, backupLock), flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	switch {
	case err != nil:
		return folderError(c.Data, "locked", err)
	case !taken:
		return errors.Join(rag.Errorf(rag.Conflict, "another backup of %s is under way", c.Data), lock.Close())
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	keys, err := readKeys(c.Data)
	if err != nil {
		return err
	}
	told := a.newBackupShow()
	m, err := sqlite.Backup(ctx, sqlite.BackupConfig{
		Dir: c.Data, To: file, Replace: force, Weir: thisBuild().Version, Keys: keys, Space: freeSpace, Tell: told.tell,
	})
	told.end()
	if err != nil {
		if rag.CodeOf(err) == rag.Conflict {
			return rag.Errorf(codeOf(err), "%s; take another name, or --force to replace it", explain(err))
		}
		return err
	}
	return a.tellBackup("saved", file, began, m, asJSON)
}

// checkEmbedded refuses a store that has tools of its own.
func (c *config) checkEmbedded(command string) error {
	if c.Store == "sqlite" {
		return nil
	}
	schema := c.DatabaseSchema
	if schema == "" {
		schema = "weir"
	}
	if command == "restore" {
		return usagef("weir restore is for the embedded store; %s is %s. Use pg_restore --single-transaction --dbname=ADDRESS FILE, into a database without the schema %s (docs/DEPLOY.md)", c.as("WEIR_STORE"), c.Store, schema)
	}
	return usagef("weir backup is for the embedded store; %s is %s. Use pg_dump --format=custom --schema=%s --file=FILE ADDRESS, as a role that is not held by row-level security: a superuser, or one with BYPASSRLS (docs/DEPLOY.md)", c.as("WEIR_STORE"), c.Store, schema)
}

// backupFile is the file that a backup to target goes to.
func backupFile(target string, now time.Time) (string, error) {
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(target, "weir-"+now.UTC().Format("20060102T150405Z")+".backup"), nil
	case strings.HasSuffix(target, string(filepath.Separator)):
		return "", rag.Errorf(rag.NotFound, "there is no folder %s", target)
	}
	if info, err := os.Stat(filepath.Dir(target)); err != nil || !info.IsDir() {
		return "", rag.Errorf(rag.NotFound, "there is no folder %s; make it first", filepath.Dir(target))
	}
	return target, nil
}

// readKeys reads the file of keys in the data folder; nil when there is none.
func readKeys(dir string) ([]byte, error) {
	path := filepath.Join(dir, savedKeys)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxKeysFile {
		return nil, fmt.Errorf("%s is larger than %s; it is no file of keys", path, size(maxKeysFile))
	}
	content, err := os.ReadFile(path) //nolint:gosec // in the user's own folder
	if err != nil {
		return nil, fmt.Errorf("the file of keys cannot be read: %w", err)
	}
	return content, nil
}

func (a *app) verifyBackup(ctx context.Context, file string, asJSON bool) error {
	began := time.Now()
	told := a.newBackupShow()
	m, err := sqlite.Verify(ctx, file, told.tell)
	told.end()
	if err != nil {
		return err
	}
	return a.tellBackup("whole", file, began, m, asJSON)
}

func (a *app) tellBackup(done, file string, began time.Time, m sqlite.Manifest, asJSON bool) error {
	r := backupResult{File: file, TookMS: time.Since(began).Milliseconds(), Manifest: m}
	if info, err := os.Stat(file); err == nil {
		r.Bytes = info.Size()
	}
	if asJSON {
		return printJSON(a.stdout, r)
	}
	_, err := fmt.Fprintf(a.stdout, "%s is %s: %s, in %s\n%s\n", file, done, size(r.Bytes), took(r.TookMS), holds(m))
	return err
}

// holds is what a backup holds, in words.
func holds(m sqlite.Manifest) string {
	n := m.Counts
	s := fmt.Sprintf("It holds what was there at %s: %s, %s (%d ready), %s, %s",
		m.Created.Format(time.RFC3339), plural(int(n.Users), "user"), plural(int(n.Documents), "document"), n.Statuses[string(rag.Ready)], plural(int(n.Chunks), "passage"), plural(int(n.Vectors), "vector"))
	if m.Keys != nil {
		s += ", and the file of keys"
	}
	return fmt.Sprintf("%s; schema version %d, by Weir %s", s, m.Schema, m.Weir)
}

// backupShow tells on a terminal how far a backup is.
type backupShow struct {
	a     *app
	last  string
	width int
}

func (a *app) newBackupShow() *backupShow { return &backupShow{a: a, width: a.terminalWidth(a.stderr)} }

func (s *backupShow) tell(stage string, done, total int64) {
	if s.width == 0 {
		return
	}
	line := stage
	if total > 0 {
		line = fmt.Sprintf("%s: %d %% of %s", stage, done*100/total, size(total))
	}
	if line != s.last && len(line) < s.width {
		s.last = line
		fmt.Fprintf(s.a.stderr, "\r\x1b[K%s", line)
	}
}

func (s *backupShow) end() {
	if s.last != "" {
		fmt.Fprint(s.a.stderr, "\r\x1b[K")
	}
}
