package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What looks at the server mean: the kind of trouble, worst first.
func TestJudgement(t *testing.T) {
	b := open(t, serve(t, []string{"WEIR_EMBEDDER=none"}).URL, screen{})
	b.run(chromedp.Evaluate(`window.looks = (...statuses) => statuses.map((s, i) => ({ at: 1000 * i, status: { in_flight: [], refused: 0, waiting: 0, embedder: {}, ...s } }));
		window.pipe = (p) => ({ pipeline: { breaker: "closed", failed: 0, attempts: 0, slots: 0, calls_refused: 0, oldest_ms: 0, typical_ms: 20, pause_ms: 0, ...p } }); true`, nil))
	tests := []struct{ name, given, want string }{
		{"well", `samples: looks({}, pipe({}))`, "ok ok"},
		{"no look yet", `samples: []`, "unknown unknown"},
		{"gone, whatever was before", `lost: 1, samples: looks(pipe({ breaker: "open" }))`, "down contact"},
		{"key", `refusal: { code: "unauthorized" }, samples: []`, "unknown key"},
		{"key that may not look", `refusal: { code: "forbidden" }, samples: []`, "unknown closed"},
		{"asked too often", `refusal: { code: "rate_limited" }, samples: []`, "warn limited"},
		{"server broken", `refusal: { code: "internal" }, samples: []`, "down refused"},
		{"store", `samples: looks({ store_error: "timeout", draining: true })`, "down store"},
		{"stopping", `samples: looks({ draining: true })`, "warn draining"},
		{"provider down", `samples: looks(pipe({ failed: 1 }), pipe({ failed: 4, attempts: 3, breaker: "open" }))`, "down provider"},
		{"provider down, calls refused", `samples: looks(pipe({ breaker: "open" }), pipe({ breaker: "open", calls_refused: 2 }))`, "down provider"},
		{"provider was down, nobody asks", `samples: looks(pipe({ breaker: "open" }), pipe({ breaker: "open" }))`, "warn probe"},
		{"first failure", `samples: looks(pipe({}), pipe({ failed: 1, attempts: 1 }))`, "down provider"},
		{"one failure of many", `samples: looks(pipe({}), pipe({ failed: 1, attempts: 9 }))`, "warn some"},
		{"failures long ago", `samples: looks(pipe({}), ...Array(12).fill(pipe({ failed: 5, attempts: 5 })))`, "ok ok"},
		{"failed a moment ago, and answered", `samples: looks(pipe({}), pipe({ failed: 1, attempts: 1 }), pipe({ failed: 1, attempts: 2 }))`, "down provider"},
		{"answers again", `samples: looks(pipe({}), pipe({ failed: 1, attempts: 1 }), pipe({ failed: 1, attempts: 2 }), ...Array(2).fill(pipe({ failed: 1, attempts: 2 })))`, "warn some"},
		{"failed, and not asked since", `samples: looks(pipe({}), ...Array(5).fill(pipe({ failed: 1, attempts: 1 })))`, "down provider"},
		{"answers again, and fails again", `samples: looks(pipe({}), pipe({ failed: 1, attempts: 1 }), pipe({ failed: 1, attempts: 2 }), pipe({ failed: 2, attempts: 3 }))`, "down provider"},
		{"silent", `samples: looks(pipe({ slots: 1, oldest_ms: 1500 }))`, "warn silent"},
		{"loading its model", `samples: looks(pipe({ slots: 1, oldest_ms: 1500, warming: true }))`, "ok ok"},
		{"pause", `samples: looks(pipe({ pause_ms: 700 }))`, "warn pause"},
		{"chat provider down", `samples: looks({}, { chat: { breaker: "open", failed: 3, attempts: 3, writing: 0, calls_refused: 0 } })`, "down chat-provider"},
		{"both, one down", `samples: looks({}, { ...pipe({ pause_ms: 9 }), chat: { breaker: "open", failed: 3, attempts: 3, writing: 0, calls_refused: 0 } })`, "down chat-provider"},
		{"nobody has the model", `samples: looks({ embedder: { name: "m" }, embedder_missing: true })`, "down missing"},
		{"vectors of another model", `samples: looks({ embedder_error: "other vectors", ...pipe({ failed: 1, attempts: 9 }) })`, "down wrong"},
		{"nothing can be stored", `samples: looks({ writes_error: "the disk is full", waiting: 3 })`, "warn writes"},
		{"full", `samples: looks({ refused: 2 }, { refused: 5 })`, "warn full"},
		{"waiting", `samples: looks({ waiting: 3 })`, "warn waiting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := module[string](b, "health.js", fmt.Sprintf(`(() => { const v = m.judge({ lost: 0, refusal: null, now: 0, %s }); return v.level + " " + v.kind; })()`, tt.given))
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	const detail = `m.judge({ lost: 0, refusal: null, now: 0, samples: looks({ embedder_error: "other vectors" }) }).detail`
	if got := module[string](b, "health.js", detail); strings.Contains(got, "back") { // it is there, and it is wrong
		t.Errorf("of a wrong embedder: %s", got)
	}
}
