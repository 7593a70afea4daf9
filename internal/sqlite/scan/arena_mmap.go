//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package scan

import (
	"fmt"
	"syscall"
	"unsafe"
)

func mapArena(words int) (arena, error) {
	b, err := syscall.Mmap(-1, 0, words*8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return arena{}, fmt.Errorf("scan: no memory for %d bytes: %w", words*8, err)
	}
	return arena{words: unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), words), mapped: b}, nil //nolint:gosec // a page is aligned, and the mapping has so many words
}

// unmap can fail only for a range that was never mapped, which would be a fault of this package.
func unmap(b []byte) {
	if err := syscall.Munmap(b); err != nil {
		panic("scan: unmap: " + err.Error())
	}
}
