//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// freeSpace is how many bytes the user may still write at dir.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // the types differ by system; a disk fits
}
