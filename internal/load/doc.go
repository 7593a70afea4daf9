// Package load puts a load on a server and says what its callers saw.
//
// # Goals
//
//   - A hang is seen. In the open loop calls arrive at a constant rate whether or
//     not the earlier ones have ended, and latency is counted from the moment a
//     call was due, so that a server that stops answering cannot slow its own
//     measurement down (what Gil Tene named coordinated omission).
//   - Nothing is dropped in silence: a call that is due while too many are open
//     is counted as not sent, and one that has no end when its deadline and the
//     grace are over is counted as hung, given up, and followed by the next.
//   - Refusals, which ought to be fast, and answers have latencies of their own.
//   - The generator is bounded in calls in flight, time and memory whatever the
//     server does, and says how late it was itself.
//
// # Design
//
// [Run] starts calls, a goroutine each; the tally counts under one mutex. A
// single goroutine closes the seconds and gives up what is overdue: a call
// belongs to the tally, not to the goroutine that makes it, so that even a
// [Caller] that does not end when it is told to holds nobody up. [HTTP] is the
// Caller for servers, and [Questions] what they are asked.
//
// Latencies are kept in HdrHistograms from a microsecond to two hours with
// three digits, which is some 200 KiB each, however many calls there are.
package load
