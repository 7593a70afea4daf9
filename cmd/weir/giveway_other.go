//go:build !linux

package main

// giveWay does nothing here.
func giveWay() {}
