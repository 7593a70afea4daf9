package drill

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/chaos"
)

// TestEveryIllIsSeen drives targets that each do one thing wrong, and wants
// the row to say so and to complain of nothing else.
func TestEveryIllIsSeen(t *testing.T) {
	degraded := func(ctx context.Context, _ Question) Outcome {
		return after10(ctx, Outcome{Kind: Degraded, Code: "unavailable"})
	}
	outcome := func(o Outcome) func(context.Context, Question) Outcome {
		return func(ctx context.Context, _ Question) Outcome { return after10(ctx, o) }
	}
	tests := []struct {
		name   string
		target func(*fakeProvider) Target
		count  func(Row) int
		want   string // what is complained of, parted by |; "": nothing
	}{
		{
			name:   "well",
			target: func(p *fakeProvider) Target { return &fakeTarget{p: p, ill: degraded} },
			count:  func(r Row) int { return r.Degraded["unavailable"] },
		},
		{
			name: "clear errors",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: outcome(Outcome{Kind: Failed, Code: "timeout"})}
			},
			count: func(r Row) int { return r.Errors["timeout"] },
		},
		{
			name: "hangs for ever",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(ctx context.Context, _ Question) Outcome {
					return deaf(time.Hour, Outcome{})
				}}
			},
			count: func(r Row) int { return r.Hung },
			want:  "did not return|goroutines were left",
		},
		{
			name: "late",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(context.Context, Question) Outcome {
					return deaf(2*time.Second+60*time.Millisecond, Outcome{Kind: Degraded, Code: "timeout"})
				}}
			},
			count: func(r Row) int { return r.Late },
			want:  "returned late",
		},
		{
			name: "late within grace",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(context.Context, Question) Outcome {
					return deaf(2*time.Second+40*time.Millisecond, Outcome{Kind: Degraded, Code: "timeout"})
				}}
			},
			count: func(r Row) int { return r.Degraded["timeout"] },
		},
		{
			name: "wrong vectors", count: func(r Row) int { return r.Wrong }, want: "got a wrong answer",
			target: func(p *fakeProvider) Target { return &fakeTarget{p: p, ill: outcome(Outcome{Kind: Wrong})} },
		},
		{
			name: "panics", count: func(r Row) int { return r.Wrong }, want: "got a wrong answer",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(context.Context, Question) Outcome { panic("out of range") }}
			},
		},
		{
			name: "another user's", count: func(r Row) int { return r.Foreign }, want: "another user's",
			target: func(p *fakeProvider) Target { return &fakeTarget{p: p, ill: outcome(Outcome{Kind: Foreign})} },
		},
		{
			name: "degraded without a word", count: func(r Row) int { return r.Undeclared }, want: "does not say so",
			target: func(p *fakeProvider) Target { return &fakeTarget{p: p, ill: outcome(Outcome{Kind: Undeclared})} },
		},
		{
			name: "unclear errors", count: func(r Row) int { return r.Unclear }, want: "without a code",
			target: func(p *fakeProvider) Target { return &fakeTarget{p: p, ill: outcome(Outcome{Kind: Unclear})} },
		},
		{
			name: "retries hot", count: func(r Row) int { return r.Requests / 3 }, want: "requests per call",
			target: func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(ctx context.Context, q Question) Outcome {
					p.asked(2)
					return degraded(ctx, q)
				}}
			},
		},
		{
			name: "does not recover", count: func(r Row) int { return r.Calls }, want: "not answered again",
			target: func(p *fakeProvider) Target {
				struck := false
				return &fakeTarget{p: p, well: func(ctx context.Context, q Question) Outcome {
					p.mu.Lock()
					struck = struck || p.fault != ""
					ill := struck
					p.mu.Unlock()
					if ill {
						return degraded(ctx, q)
					}
					return after10(ctx, Outcome{})
				}}
			},
		},
		{
			name: "recovers late", count: func(r Row) int { return r.Calls }, want: "only after ",
			target: func(p *fakeProvider) Target {
				var until time.Time
				return &fakeTarget{p: p, well: func(ctx context.Context, q Question) Outcome {
					p.mu.Lock()
					if p.fault != "" {
						until = time.Now().Add(8 * time.Second)
					}
					ill := time.Now().Before(until)
					p.mu.Unlock()
					if ill {
						return degraded(ctx, q)
					}
					return after10(ctx, Outcome{})
				}}
			},
		},
		{
			name: "leaves connections", count: func(r Row) int { return r.LeftConnections }, want: "3 connections were left",
			target: func(p *fakeProvider) Target {
				p.connected(5)
				return &fakeTarget{p: p, ill: degraded, close: func(context.Context) error { p.connected(-2); return nil }}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := driven(t, chaos.Status503, Config{}, tt.target)
			if tt.count(row) == 0 {
				t.Errorf("it was not counted: %+v", row)
			}
			got := row.Complaints(Limits{})
			var want []string
			if tt.want != "" {
				want = strings.Split(tt.want, "|")
			}
			if !slices.EqualFunc(got, want, strings.Contains) {
				t.Errorf("complaints %q, want %q; notes %q", got, want, row.Notes)
			}
			if strings.Contains(tt.want, "got ") && len(row.Notes) == 0 {
				t.Error("no note says what was seen")
			}
		})
	}
}

// TestLeftGoroutines: those of one target are counted, and no other's. It is
// at the end of the label's inheritance, a goroutine of a goroutine.
func TestLeftGoroutines(t *testing.T) {
	row := driven(t, chaos.Status503, Config{Callers: 5}, func(p *fakeProvider) Target {
		release := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(release) }) // else the bubble would never end
		for range 3 {
			go func() { go func() { <-release }() }()
		}
		return &fakeTarget{p: p}
	})
	if row.LeftGoroutines != 3 {
		t.Errorf("%d goroutines left, want 3: %q", row.LeftGoroutines, row.Notes)
	}
	if !slices.ContainsFunc(row.Notes, func(n string) bool { return strings.Contains(n, "TestLeftGoroutines") }) {
		t.Errorf("no note says where: %q", row.Notes)
	}
}

// TestCloseThatHangs does not stop the drill.
func TestCloseThatHangs(t *testing.T) {
	row := driven(t, chaos.Status503, Config{Callers: 5}, func(p *fakeProvider) Target {
		return &fakeTarget{p: p, close: func(context.Context) error { deaf(time.Hour, Outcome{}); return nil }}
	})
	if row.LeftGoroutines != 1 || len(row.Complaints(Limits{})) == 0 {
		t.Errorf("%+v", row)
	}
}

// TestNoDeadline: patience is measured, and the call is left to itself until
// the target is closed.
func TestNoDeadline(t *testing.T) {
	tests := []struct {
		name       string
		takes      time.Duration
		late, hung bool
	}{
		{"late", 2500 * time.Millisecond, true, false},
		{"hung", 4 * time.Second, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := driven(t, chaos.Never, Config{Unbounded: true}, func(p *fakeProvider) Target {
				return &fakeTarget{p: p, ill: func(ctx context.Context, _ Question) Outcome {
					if _, has := ctx.Deadline(); has {
						t.Error("the ctx has a deadline")
					}
					return afterTime(ctx, tt.takes, Outcome{})
				}}
			})
			if (row.Late > 0) != tt.late || (row.Hung > 0) != tt.hung {
				t.Errorf("late %d, hung %d", row.Late, row.Hung)
			}
		})
	}
}

func TestPoisonIsAsked(t *testing.T) {
	poisonous, all := 0, 0
	driven(t, chaos.PoisonText, Config{}, func(p *fakeProvider) Target {
		return &fakeTarget{p: p, well: func(ctx context.Context, q Question) Outcome {
			p.mu.Lock()
			all++
			if strings.Contains(q.Text, chaos.Poison) {
				poisonous++
			}
			p.mu.Unlock()
			return after10(ctx, Outcome{})
		}}
	})
	if poisonous == 0 || poisonous == all {
		t.Errorf("%d of %d questions", poisonous, all)
	}
}

func TestNotDriven(t *testing.T) {
	tests := []struct {
		name            string
		makes           func(*fakeProvider) Target
		setErr          error
		broken, skipped string
	}{
		{name: "target does not open", makes: func(*fakeProvider) Target { return nil }, broken: "no target"},
		{name: "never well", broken: "before any fault", makes: func(p *fakeProvider) Target {
			return &fakeTarget{p: p, well: func(ctx context.Context, _ Question) Outcome {
				return after10(ctx, Outcome{Kind: Failed, Code: "internal", Detail: "no luck"})
			}}
		}},
		{name: "not on this system", setErr: chaos.ErrSystem, skipped: "this system", makes: func(p *fakeProvider) Target { return &fakeTarget{p: p} }},
		{name: "cannot be set", setErr: errors.New("no socket"), broken: "no socket", makes: func(p *fakeProvider) Target { return &fakeTarget{p: p} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := driven(t, chaos.Closes, Config{}, func(p *fakeProvider) Target {
				return tt.makes(p)
			}, tt.setErr)
			if !strings.Contains(row.Broken, tt.broken) || (row.Broken == "") != (tt.broken == "") {
				t.Errorf("broken: %q", row.Broken)
			}
			if !strings.Contains(row.Skipped, tt.skipped) || (row.Skipped == "") != (tt.skipped == "") {
				t.Errorf("skipped: %q", row.Skipped)
			}
			if got := row.Complaints(Limits{}); (len(got) > 0) != (tt.broken != "") {
				t.Errorf("complaints: %q", got)
			}
		})
	}
}

// TestBrokenOff: who breaks it off has it back at once, and nothing is left.
func TestBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg := Config{Callers: 10, start: func(context.Context, chaos.Config) (provider, error) { return newFakeProvider(), nil }}
		var rows int
		cfg.Watch = func(e Event) {
			if e.Row != nil {
				rows++
			}
			if rows == 2 {
				cancel()
			}
		}
		p := newFakeProvider()
		got, err := Run(ctx, cfg, func(context.Context, Place) (Target, error) { return &fakeTarget{p: p}, nil })
		if !errors.Is(err, context.Canceled) || len(got) < 2 || len(got) >= len(chaos.Faults()) {
			t.Errorf("%d rows, %v", len(got), err)
		}
	})
}

// TestAlone: those that are to be driven alone are, and after the others.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{
			Callers: 2, Faults: []chaos.Fault{chaos.GzipBomb, chaos.Status500, chaos.EndlessBody, chaos.Status502},
			Alone: []chaos.Fault{chaos.EndlessBody, chaos.GzipBomb, chaos.Never},
			start: func(context.Context, chaos.Config) (provider, error) { return newFakeProvider(), nil },
		}
		var begun []chaos.Fault
		now, most := 0, 0
		cfg.Watch = func(e Event) {
			if e.Row != nil {
				now--
				return
			}
			now++
			if slices.Contains(cfg.Alone, e.Fault) {
				most = max(most, now)
			}
			begun = append(begun, e.Fault)
		}
		p := newFakeProvider()
		rows, err := Run(t.Context(), cfg, func(context.Context, Place) (Target, error) { return &fakeTarget{p: p}, nil })
		if err != nil || len(rows) != 4 || rows[0].Fault != chaos.GzipBomb || rows[3].Fault != chaos.Status502 {
			t.Errorf("%v: %+v", err, rows)
		}
		if most != 1 || !slices.Equal(begun[2:], []chaos.Fault{chaos.GzipBomb, chaos.EndlessBody}) {
			t.Errorf("%d at a time, %v", most, begun)
		}
	})
}

func TestConfigThatCannotBe(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
	}{
		{"unknown fault", Config{Faults: []chaos.Fault{"gremlins"}}},
		{"fault twice", Config{Faults: []chaos.Fault{chaos.Never, chaos.Never}}},
		{"no callers", Config{Callers: -1}},
		{"too many callers", Config{Callers: 1 << 20}},
		{"no time", Config{Deadline: time.Millisecond}},
		{"negative", Config{Pause: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Run(t.Context(), tt.cfg, nil); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestRequestsInAnOutage(t *testing.T) {
	for _, tt := range []struct {
		name            string
		calls, requests int
		fine            bool
	}{
		{"few calls, and what was saved up", 5, 13, true},
		{"few calls, and more", 5, 14, false},
		{"many calls", 1000, 1200, true},
		{"many calls, and more", 1000, 1201, false},
		{"none more than calls", 100, 100, true},
		{"twice as many", 100, 200, false},
	} {
		row := Row{Outage: true, Calls: tt.calls, Requests: tt.requests, PerCall: float64(tt.requests) / float64(tt.calls), Recovered: true}
		if got := row.Complaints(Limits{}); (len(got) == 0) != tt.fine {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
