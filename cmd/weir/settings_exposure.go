package main

// exposureConfig is how the server meets the network.
type exposureConfig struct{}

func exposureSettings() []setting { return nil }
