// Package drill drives something that asks an embedding provider through all
// that a provider can do wrong, and counts what its callers see.
//
// # Goals
//
//   - What is driven is anybody's: Weir through its own door, its pipeline
//     alone, another client. See [Target].
//   - It cannot be stopped by what it measures. A call that does not return is
//     counted and left; every wait of the drill has a bound.
//   - What one fault does is seen by itself: each has a provider and a target of
//     its own, and the goroutines of a target are told apart by a label that
//     they inherit from the one that opened it.
//   - It can fail: late and hung calls, wrong answers, requests in an outage,
//     recovery and what is left are counted against limits. See [Limits].
//
// # Design
//
// A fault is driven in four steps (fault.go). Callers, as many as are wanted,
// ask one question after the other, each different from all others, with a
// short pause between (caller.go). When as many calls as there are callers have been answered, the provider
// begins to misbehave, while they are at work. After [Config].Lasts it
// is healed, and the callers go on until nearly all that they ask is answered
// again. Then the target is closed, and what is left of it counted (left.go).
// Every call is written down at its begin and its end in one ledger (ledger.go),
// from which the row of the fault is made (row.go).
//
// A call belongs to the step in which it began. It is late when it returns
// more than [Grace] after its deadline and hung when it has not returned
// [HungAfter] after it.
package drill
