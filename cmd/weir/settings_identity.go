package main

// identityConfig is who may ask, and how much.
type identityConfig struct{}

func identitySettings() []setting { return nil }
