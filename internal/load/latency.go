package load

import (
	"encoding/json"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is how long many calls took, to three digits.
type Latency struct {
	hist *hdrhistogram.Histogram // of microseconds
}

const longestLatency = 2 * time.Hour

func newLatency() *Latency {
	return &Latency{hdrhistogram.New(1, longestLatency.Microseconds(), 3)}
}

func (l *Latency) record(d time.Duration) {
	d = min(max(d, time.Microsecond), longestLatency)
	_ = l.hist.RecordValue(d.Microseconds()) // it is in range
}

// Count is how many there are.
func (l *Latency) Count() int { return int(l.hist.TotalCount()) }

// At is the least time within which the part q, from 0 to 1, of the calls had
// ended; 0 if there were none.
func (l *Latency) At(q float64) time.Duration {
	if l.Count() == 0 {
		return 0
	}
	// The library rounds the rank, by which the 99th percentile of sixty calls
	// would leave the slowest out.
	n := float64(l.Count())
	rank := max(math.Ceil(q*n-1e-9), 1)
	// The value of a bucket is its upper end, which may be beyond all that was seen.
	return min(micros(l.hist.ValueAtPercentile(100*rank/n)), l.Max())
}

// Max is the longest.
func (l *Latency) Max() time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return micros(l.hist.Max())
}

// Mean is the mean.
func (l *Latency) Mean() time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return time.Duration(l.hist.Mean() * float64(time.Microsecond))
}

// Bar is how many calls took from From to below To.
type Bar struct {
	From, To time.Duration
	Count    int
}

// Bars is the distribution in the histogram's own buckets, empty ones left
// out.
func (l *Latency) Bars() []Bar {
	var bars []Bar
	for _, b := range l.hist.Distribution() {
		if b.Count > 0 {
			bars = append(bars, Bar{micros(b.From), micros(b.To + 1), int(b.Count)})
		}
	}
	return bars
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// MarshalJSON writes the count and the percentiles in milliseconds; null if
// there were no calls.
func (l *Latency) MarshalJSON() ([]byte, error) {
	if l.Count() == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(struct {
		Count int     `json:"count"`
		Mean  float64 `json:"mean_ms"`
		P50   float64 `json:"p50_ms"`
		P90   float64 `json:"p90_ms"`
		P95   float64 `json:"p95_ms"`
		P99   float64 `json:"p99_ms"`
		P999  float64 `json:"p99_9_ms"`
		Max   float64 `json:"max_ms"`
	}{l.Count(), ms(l.Mean()), ms(l.At(0.5)), ms(l.At(0.9)), ms(l.At(0.95)), ms(l.At(0.99)), ms(l.At(0.999)), ms(l.Max())})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Merged is the latency of all together.
func Merged(all ...*Latency) *Latency {
	sum := newLatency()
	for _, l := range all {
		sum.hist.Merge(l.hist)
	}
	return sum
}
