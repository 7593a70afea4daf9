package pgtest

import "syscall"

// dieWithTest makes a server end when the test's process is killed.
func dieWithTest(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
