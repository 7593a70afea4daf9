package main

// chatConfig is the model that writes answers.
type chatConfig struct{}

func chatSettings() []setting { return nil }
