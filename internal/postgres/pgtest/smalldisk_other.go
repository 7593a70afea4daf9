//go:build unix && !linux

package pgtest

import "testing"

// SmallDisk is of Linux only.
func (c *Cluster) SmallDisk(t testing.TB, _ int) string {
	t.Helper()
	t.Skip("skipped: a small disk is made on Linux only")
	return ""
}
