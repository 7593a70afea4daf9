package load

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a Caller.
type script func(ctx context.Context, n int64) Result

func (s script) Call(ctx context.Context, n int64) Result { return s(ctx, n) }

// takes answers after d, or fails when its ctx ends.
func takes(ctx context.Context, d time.Duration) Result {
	if sleep(ctx, d) != nil {
		return Result{Failed, "canceled"}
	}
	return Result{Outcome: Answered}
}

// pass lets virtual time go by, in a bubble of synctest.
func pass(d time.Duration) { <-time.NewTimer(d).C }

func mustRun(t *testing.T, ctx context.Context, c Config, s script) *Report {
	t.Helper()
	r, err := Run(ctx, c, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Due != r.Sent+r.NotSent || r.Sent != r.OK+r.Refused+r.Failed+r.Hung+r.Unfinished {
		t.Errorf("the counts do not add up: %+v", r)
	}
	var s2 Second
	for i, v := range r.Seconds {
		if v.At != i {
			t.Errorf("second %d is called %d", i, v.At)
		}
		s2.Due, s2.OK, s2.Refused, s2.Failed, s2.Hung, s2.NotSent = s2.Due+v.Due, s2.OK+v.OK, s2.Refused+v.Refused, s2.Failed+v.Failed, s2.Hung+v.Hung, s2.NotSent+v.NotSent
	}
	if s2.Due != r.Due || s2.OK != r.OK || s2.Refused != r.Refused || s2.Failed != r.Failed || s2.Hung != r.Hung || s2.NotSent != r.NotSent {
		t.Errorf("the seconds add up to %+v, the whole is %+v", s2, r)
	}
	return r
}

// about holds for histograms of three digits.
func about(got, want time.Duration) bool {
	return got >= want-want/500-time.Microsecond && got <= want+want/500+time.Microsecond
}

// The fifth call hangs: it is seen as hung and given up, and no other is
// slower for it.
func TestOneHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var endedAt time.Duration
		began := time.Now()
		r := mustRun(t, t.Context(), Config{Rate: 10, Duration: 3 * time.Second, Deadline: time.Second, Grace: 500 * time.Millisecond},
			func(ctx context.Context, n int64) Result {
				if n == 4 {
					<-ctx.Done()
					endedAt = time.Since(began)
					return Result{Failed, "canceled"}
				}
				return takes(ctx, 20*time.Millisecond)
			})
		if r.Due != 30 || r.OK != 29 || r.Hung != 1 || r.Failed != 0 || r.Cut || r.Stuck != 0 {
			t.Errorf("got %+v", r)
		}
		if !about(r.Answers.Max(), 20*time.Millisecond) || !about(r.Answers.At(0.5), 20*time.Millisecond) {
			t.Errorf("the others took %s, at most %s", r.Answers.At(0.5), r.Answers.Max())
		}
		if late := endedAt - 1900*time.Millisecond; late < 0 || late > 2*tick { // it was due at 400 ms
			t.Errorf("it was given up %s late", late)
		}
		if v := (Demand{Success: 0.9}).Judge(r); v.Pass || !strings.Contains(v.Words, "1 hung") {
			t.Errorf("got %+v", v)
		}
		if p := r.Points.Of(PointHung); len(p) != 1 || p[0].At != 400*time.Millisecond {
			t.Errorf("got %+v", p)
		}
	})
}

// A server stalls for two seconds. In the open loop each call that was due
// meanwhile has waited; a closed loop of one caller has one slow call to tell
// of, which is what coordinated omission is.
func TestStallIsNotHidden(t *testing.T) {
	stalls := func(began time.Time) script {
		return func(ctx context.Context, _ int64) Result {
			if at := time.Since(began); at >= time.Second && at < 3*time.Second {
				return takes(ctx, 3*time.Second-at)
			}
			return takes(ctx, time.Millisecond)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Rate: 20, Duration: 5 * time.Second}, stalls(time.Now()))
		// 40 of 100 waited, evenly from 2 s down to 50 ms.
		if r.OK != 100 || !about(r.Answers.Max(), 2*time.Second) || !about(r.Answers.At(0.8), time.Second) || !about(r.Answers.At(0.6), time.Millisecond) {
			t.Errorf("open: %d, p60 %s, p80 %s, max %s", r.OK, r.Answers.At(0.6), r.Answers.At(0.8), r.Answers.Max())
		}
		if r.MostOpen < 40 || r.MostOpen > 41 { // one is due the moment the others end
			t.Errorf("at most %d were open", r.MostOpen)
		}
		if s := r.Seconds[1]; s.OK != 0 || s.Due != 20 || s.Open != 20 || s.P99 != 0 {
			t.Errorf("the second of the stall: %+v", s)
		}
		if s := r.Seconds[3]; s.OK != 60 || !about(s.P99, 2*time.Second) {
			t.Errorf("the second after it: %+v", s)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Callers: 1, Duration: 5 * time.Second}, stalls(time.Now()))
		if slow := r.Answers.At(0.99); slow > 2*time.Millisecond {
			t.Errorf("closed: p99 %s, which the test means to show is small", slow)
		}
		if !about(r.Answers.Max(), 2*time.Second) {
			t.Errorf("closed: max %s", r.Answers.Max())
		}
	})
}

// The generator itself is stopped, as by a busy machine: the calls that were
// due meanwhile count from when they were due.
func TestLagCountsAsLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := newTally(Config{Rate: 1}.withDefaults(), time.Now())
		due := time.Now()
		pass(300 * time.Millisecond) // virtual
		f, _ := tally.begin(due, func(error) {})
		pass(10 * time.Millisecond)
		tally.end(f, Result{Outcome: Answered})
		r := &tally.report
		if !about(r.Answers.Max(), 310*time.Millisecond) || !about(r.AnswersSent.Max(), 10*time.Millisecond) || !about(r.Lag.Max(), 300*time.Millisecond) {
			t.Errorf("latency %s, from sending %s, lag %s", r.Answers.Max(), r.AnswersSent.Max(), r.Lag.Max())
		}
		if r.Behind() == "" {
			t.Error("nothing is said of it")
		}
	})
}

func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []Result{{Outcome: Answered}, {Outcome: Degraded}, {Outcome: Refused}, {Failed, "status 500"}, {Failed, "status 500"}}
		r := mustRun(t, t.Context(), Config{Rate: 10, Duration: time.Second, Deadline: 200 * time.Millisecond, Grace: 200 * time.Millisecond},
			func(ctx context.Context, n int64) Result {
				if n >= 5 { // answered, but late; the last two not within the grace either
					d := 300 * time.Millisecond
					if n >= 8 {
						d = 600 * time.Millisecond
					}
					pass(d) // whatever ctx says
					return Result{Outcome: Answered}
				}
				takes(ctx, time.Duration(n+1)*time.Millisecond)
				return results[n]
			})
		if r.OK != 2 || r.Degraded != 1 || r.Refused != 1 || r.Failed != 5 || r.Hung != 2 || r.Kinds["status 500"] != 2 || r.Kinds["late"] != 3 {
			t.Errorf("got %+v", r)
		}
		if !about(r.Refusals.Max(), 3*time.Millisecond) || r.Refusals.Count() != 1 || r.Answers.Count() != 2 || r.Failures.Count() != 5 {
			t.Errorf("refusals %s, %d answers, %d failures", r.Refusals.Max(), r.Answers.Count(), r.Failures.Count())
		}
		if got := r.Share(false); got != 0.2 {
			t.Errorf("share %v", got)
		}
		if got := r.Share(true); got != 0.1 {
			t.Errorf("whole share %v", got)
		}
	})
}

func TestNotSentWhenTooManyAreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Rate: 10, Duration: 2 * time.Second, Deadline: 5 * time.Second, MaxOpen: 3},
			func(ctx context.Context, _ int64) Result { return takes(ctx, 4*time.Second) })
		if r.Due != 20 || r.Sent != 3 || r.NotSent != 17 || r.OK != 3 || r.MostOpen != 3 {
			t.Errorf("got %+v", r)
		}
		if got := r.Share(false); got != 0.15 {
			t.Errorf("share %v: what was not sent was not answered", got)
		}
		if len(r.Points.Of(PointNotSent)) != 17 {
			t.Errorf("%d points", len(r.Points.Of(PointNotSent)))
		}
	})
}

// A Caller that does not end when it is told to must not make a hang of the
// measurement, nor keep its place.
func TestCallerThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		began := time.Now()
		r := mustRun(t, t.Context(), Config{Rate: 2, Duration: 3 * time.Second, Deadline: time.Second, Grace: 500 * time.Millisecond, MaxOpen: 4},
			func(context.Context, int64) Result {
				<-release
				return Result{Outcome: Answered}
			})
		if r.Hung != 6 || r.Stuck != 6 || r.NotSent != 0 {
			t.Errorf("got %+v", r)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it took %s", took)
		}
		close(release)
		synctest.Wait()
		if r.OK != 0 {
			t.Error("a call that was given up was counted again")
		}
	})
}

func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		var mu sync.Mutex
		numbers := map[int64]bool{}
		r := mustRun(t, t.Context(), Config{Callers: 7, Rounds: 3, First: 100}, func(ctx context.Context, n int64) Result {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			mu.Lock()
			numbers[n] = true
			mu.Unlock()
			return takes(ctx, time.Duration(n%7+1)*100*time.Millisecond)
		})
		if r.OK != 21 || r.Rounds != 3 || most.Load() != 7 || len(numbers) != 21 || !numbers[100] || !numbers[120] || r.Cut {
			t.Errorf("got %+v, at most %d at once, %d numbers", r, most.Load(), len(numbers))
		}
		if want := 2100 * time.Millisecond; r.Took != want { // a round takes as long as its slowest
			t.Errorf("took %s, want %s", r.Took, want)
		}
	})
}

func TestRoundsEndWithTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Callers: 2, Rounds: 100, MaxTime: 5 * time.Second}, func(ctx context.Context, _ int64) Result {
			return takes(ctx, time.Second)
		})
		if r.Rounds != 5 || !r.Cut {
			t.Errorf("got %+v", r)
		}
		if v := (Demand{}).Judge(r); v.Pass {
			t.Errorf("a run that was cut short passes: %+v", v)
		}
	})
}

func TestEachCallsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Callers: 3, Duration: 2 * time.Second}, func(ctx context.Context, n int64) Result {
			return takes(ctx, 100*time.Millisecond)
		})
		if r.OK != 60 || r.MostOpen != 3 || r.Cut {
			t.Errorf("got %+v", r)
		}
	})
}

func TestBrokenOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"open", Config{Rate: 10, Duration: time.Hour}},
		{"rounds", Config{Callers: 5, Rounds: 1000}},
		{"each", Config{Callers: 5, Duration: time.Hour}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
				defer cancel()
				began := time.Now()
				r := mustRun(t, ctx, tt.cfg, func(ctx context.Context, n int64) Result { return takes(ctx, 300*time.Millisecond) })
				if took := time.Since(began); took > 1100*time.Millisecond {
					t.Errorf("it went on for %s", took)
				}
				if r.Unfinished == 0 || r.OK == 0 || !r.Cut {
					t.Errorf("got %+v", r)
				}
				if v := (Demand{}).Judge(r); v.Pass || !strings.Contains(v.Words, "broken off") {
					t.Errorf("got %+v", v)
				}
			})
		})
	}
}

func TestProgressHasEachSecondOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Second
		r := mustRun(t, t.Context(), Config{Rate: 4, Duration: 3500 * time.Millisecond, Progress: func(s Second) { seen = append(seen, s) }},
			func(ctx context.Context, n int64) Result { return takes(ctx, time.Millisecond) })
		if len(seen) != 4 || len(r.Seconds) != 4 {
			t.Fatalf("%d told, %d kept", len(seen), len(r.Seconds))
		}
		for i, s := range seen {
			if s != r.Seconds[i] {
				t.Errorf("second %d: told %+v, kept %+v", i, s, r.Seconds[i])
			}
		}
	})
}

func TestConfigThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"both", Config{Rate: 1, Callers: 1}, "two ways"},
		{"rounds of a rate", Config{Rate: 1, Rounds: 1}, "Rounds are for Callers"},
		{"negative rate", Config{Rate: -1}, "Rate must be"},
		{"too much", Config{Rate: 1e9}, "Rate must be"},
		{"callers", Config{Callers: 1 << 20}, "Callers must be"},
		{"no room", Config{Callers: 10, MaxOpen: 5}, "MaxOpen must hold"},
		{"deadline", Config{Deadline: -1}, "Deadline must be"},
		{"duration", Config{Duration: 48 * time.Hour}, "Duration must be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Run(t.Context(), tt.cfg, script(nil)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	report := func(due, ok, degraded, hung int) *Report {
		return &Report{Due: due, OK: ok, Degraded: degraded, Hung: hung, Deadline: 10 * time.Second, Grace: time.Second}
	}
	for _, tt := range []struct {
		name   string
		demand Demand
		report *Report
		pass   bool
		words  string
	}{
		{"all", Demand{Success: 1}, report(10, 10, 0, 0), true, "10 of 10 calls (100 %) were answered within 10s; none hung"},
		{"just", Demand{Success: 0.99}, report(1000, 990, 0, 0), true, "(99 %)"},
		{"just not", Demand{Success: 0.99}, report(1000, 989, 0, 0), false, "989 of 1000 calls (98.9 %) were answered within 10s, less than 99 %; none hung"},
		{"not rounded up", Demand{Success: 1}, report(1_000_000, 999_999, 0, 0), false, "99.999 %"},
		{"degraded is an answer", Demand{Success: 1}, report(10, 10, 4, 0), true, ""},
		{"but not whole", Demand{Success: 1, Whole: true}, report(10, 10, 4, 0), false, "6 of 10 calls (60 %) were answered whole"},
		{"one hung", Demand{Success: 0.5}, report(1000, 999, 0, 1), false, "1 hung: they had no end 1s after the deadline"},
		{"nothing", Demand{}, report(0, 0, 0, 0), false, "no call was made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.demand.Judge(tt.report)
			if v.Pass != tt.pass || !strings.Contains(v.Words, tt.words) {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestReportAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRun(t, t.Context(), Config{Rate: 10, Duration: time.Second}, func(ctx context.Context, _ int64) Result { return takes(ctx, 1500*time.Microsecond) })
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Due      int
			Answers  map[string]float64
			Refusals any
			Seconds  []map[string]float64
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if got.Due != 10 || got.Answers["p99_ms"] != 1.5 || got.Refusals != nil || got.Seconds[0]["p50_ms"] != 1.5 || got.Seconds[0]["ok"] != 10 {
			t.Errorf("got %s", b)
		}
	})
}
