//go:build !(linux || darwin)

package main

import "errors"

// freeSpace is not known here.
func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }

// checkOwner does not look here.
func checkOwner(string) error { return nil }
