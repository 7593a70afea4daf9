package scan

import "syscall"

// preferHuge asks for large pages: reading rows at random costs one page-table walk each otherwise, which is as much as the
// dot product itself. The kernel may say no, which changes nothing but the speed.
func preferHuge(b []byte) {
	const hugePage = 14 // MADV_HUGEPAGE
	_ = syscall.Madvise(b, hugePage)
}
