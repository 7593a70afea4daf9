// Package weirtest builds the program and runs it as a process of its own, for
// tests that drive it from outside.
package weirtest
