package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"

	"weir/internal/rag"
)

// keepPrivate sees to it that only the owner can read and write the database,
// whatever the mode of its folder: a file that is not there is made here,
// because it would be made as the umask has it otherwise, and one that others
// may use is closed to them. (An existing file is never opened: closing it
// would drop this process's locks on it, on systems where locks belong to the
// process.)
func keepPrivate(path string) error {
	if modeless() {
		return nil
	}
	for _, suffix := range []string{"", "-shm"} { // of the others, address takes care
		f, err := os.OpenFile(path+suffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator names the folder
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	for _, suffix := range []string{"", "-shm", "-wal", "-journal"} {
		info, err := os.Stat(path + suffix)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(path+suffix, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // others may have closed, and removed it
			return &rag.Error{
				Code: rag.Unavailable, Phase: phase, Err: err,
				Msg: "others may read " + path + suffix + ", and its mode cannot be changed to 0600; does it belong to another user?",
			}
		}
	}
	return nil
}

// address names the database at path to SQLite, and has it give the log beside
// it the mode of the database as soon as it makes one.
func address(path string) string {
	if modeless() {
		return path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?modeof=" + strings.ReplaceAll(url.QueryEscape(path), "+", "%20")
}

// modeless is where modes of files say nothing of who may read them.
func modeless() bool { return runtime.GOOS == "windows" }
