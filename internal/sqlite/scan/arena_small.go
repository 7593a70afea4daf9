//go:build !linux

package scan

// preferHuge is for systems whose pages are what they are.
func preferHuge([]byte) {}
