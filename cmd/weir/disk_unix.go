//go:build linux || darwin

package main

import (
	"os"

	"weir/internal/rag"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes the user may still write at dir.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // the types differ by system; a disk fits
}

// checkOwner refuses to work beside the server as another user than it: files
// that this process makes would be closed to the server.
func checkOwner(path string) error {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil || int(s.Uid) == os.Geteuid() {
		return nil // what is wrong with it shows when it is opened
	}
	return rag.Errorf(rag.Forbidden, "%s belongs to the user with id %d; run this as that user (sudo -u '#%d' weir ...)", path, s.Uid, s.Uid)
}
