package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// SmallDisk makes a file system of so many bytes, for a tablespace that fills
// up. It skips the test where this process may not mount one.
func (c *Cluster) SmallDisk(t testing.TB, bytes int) string {
	t.Helper()
	dir, err := os.MkdirTemp(c.dir, "small")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=777", bytes)); err != nil {
		t.Skipf("skipped: a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	space := filepath.Join(dir, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := give(space); err != nil {
		t.Fatal(err)
	}
	return space
}
