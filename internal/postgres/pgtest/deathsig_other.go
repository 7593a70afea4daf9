//go:build unix && !linux

package pgtest

import "syscall"

func dieWithTest(*syscall.SysProcAttr) {}
