// Package provider holds what asking a provider of models takes, whatever it
// is asked for: connections that end when they are told to, the phases of an
// attempt, what its failures mean and which of them may be tried again, when it
// wants to be asked again, and the parts that keep an outage from being answered
// with more load. Packages embed and chat are made of it.
//
// It starts no goroutines but those of connections that are being made, and
// decides nothing by itself: Breaker, Budget and Pace are plain values that are
// told the time, under their owner's mutex.
package provider
