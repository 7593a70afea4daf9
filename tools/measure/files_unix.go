//go:build unix

package main

import (
	"syscall"
)

// openFiles is how many files a process may have open; Go takes all that it may
// have when it starts.
func openFiles() (uint64, error) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return uint64(l.Max), err //nolint:unconvert // it is another type elsewhere
}

// smallBuffer has the system take little of what nobody reads.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	})
	if err != nil {
		return err
	}
	return set
}
