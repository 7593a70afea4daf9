package metrics

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"weir/internal/chat"
	"weir/internal/embed"
	"weir/internal/rag"
)

var (
	_ rag.Observer   = (*Metrics)(nil)
	_ embed.Observer = (*Metrics)(nil)
	_ chat.Observer  = (*Metrics)(nil)
)

// fresh is a server that has done nothing yet.
func fresh() *Metrics {
	m := New("v1.2.3")
	m.Watch(func() rag.Load { return rag.Load{} }, func() embed.Stats { return embed.Stats{} })
	m.WatchChat(func() chat.Stats { return chat.Stats{} })
	m.WatchIdentity(func() Identity { return Identity{} })
	m.WatchTraces(func() TraceStats { return TraceStats{Sent: 3, Dropped: 1} })
	return m
}

// scrape returns what m's handler answers, as Prometheus reads it.
func scrape(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if got, want := w.Header().Get("Content-Type"), "text/plain; version=0.0.4"; !strings.HasPrefix(got, want) {
		t.Errorf("Content-Type %q, want %s", got, want)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// series makes a family's series a map from "name{label=value,…}" to a number.
// A histogram becomes its count, sum and buckets.
func series(families map[string]*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			at := func(suffix string, more ...string) string {
				return name + suffix + "{" + strings.Join(append(slices.Clone(labels), more...), ",") + "}"
			}
			switch h := m.GetHistogram(); {
			case h != nil:
				all[at("_count")], all[at("_sum")] = float64(h.GetSampleCount()), h.GetSampleSum()
				for _, b := range h.GetBucket() {
					all[at("_bucket", fmt.Sprintf("le=%g", b.GetUpperBound()))] = float64(b.GetCumulativeCount())
				}
			case m.GetCounter() != nil:
				all[at("")] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				all[at("")] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// changed is what of ours differs between before and after, buckets left out.
func changed(before, after map[string]float64) map[string]float64 {
	diff := map[string]float64{}
	for name, v := range after {
		if strings.HasPrefix(name, "weir_") && !strings.Contains(name, "_bucket{") && v != before[name] {
			diff[name] = math.Round((v-before[name])*1e6) / 1e6
		}
	}
	return diff
}

func TestEachEventIsCountedOnceWhereItBelongs(t *testing.T) {
	tests := []struct {
		name  string
		event func(*Metrics)
		want  map[string]float64
	}{
		{
			name: "a whole answer",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{Operation: "retrieve", Mode: rag.Hybrid, Timings: rag.Timings{Queue: 1, Embed: 20, Search: 3, Total: 25}})
			},
			want: map[string]float64{
				"weir_calls_total{code=ok,mode=hybrid,operation=retrieve}":             1,
				"weir_call_duration_seconds_count{operation=retrieve,result=answered}": 1,
				"weir_call_duration_seconds_sum{operation=retrieve,result=answered}":   .025,
				"weir_stage_duration_seconds_count{stage=queue}":                       1,
				"weir_stage_duration_seconds_sum{stage=queue}":                         .001,
				"weir_stage_duration_seconds_count{stage=embed}":                       1,
				"weir_stage_duration_seconds_sum{stage=embed}":                         .02,
				"weir_stage_duration_seconds_count{stage=search}":                      1,
				"weir_stage_duration_seconds_sum{stage=search}":                        .003,
			},
		},
		{
			name: "an answer by words, embedding given up, nothing found",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{
					Operation: "retrieve", Mode: rag.Lexical, Empty: rag.NoMatch,
					Degraded: []rag.Degraded{{Stage: "embed", Reason: "timeout"}, {Stage: "search", Reason: "query_cut"}},
					Timings:  rag.Timings{Embed: 6000, Total: 6000},
				})
			},
			want: map[string]float64{
				"weir_calls_total{code=ok,mode=lexical,operation=retrieve}":            1,
				"weir_call_duration_seconds_count{operation=retrieve,result=answered}": 1,
				"weir_call_duration_seconds_sum{operation=retrieve,result=answered}":   6,
				"weir_stage_duration_seconds_count{stage=embed}":                       1,
				"weir_stage_duration_seconds_sum{stage=embed}":                         6,
				"weir_degraded_total{reason=timeout,stage=embed}":                      1,
				"weir_degraded_total{reason=query_cut,stage=search}":                   1,
				"weir_empty_total{reason=no_match}":                                    1,
			},
		},
		{
			name: "a lexical answer did not embed, whatever its clock says",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{
					Operation: "retrieve", Mode: rag.Lexical, Degraded: []rag.Degraded{{Stage: "embed", Reason: "no_embedder"}},
					Timings: rag.Timings{Embed: .0002, Search: 1, Total: 1},
				})
			},
			want: map[string]float64{
				"weir_calls_total{code=ok,mode=lexical,operation=retrieve}":            1,
				"weir_call_duration_seconds_count{operation=retrieve,result=answered}": 1,
				"weir_call_duration_seconds_sum{operation=retrieve,result=answered}":   .001,
				"weir_stage_duration_seconds_count{stage=search}":                      1,
				"weir_stage_duration_seconds_sum{stage=search}":                        .001,
				"weir_degraded_total{reason=no_embedder,stage=embed}":                  1,
			},
		},
		{
			name: "a failed call was of no mode, and not degraded",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{
					Operation: "retrieve", Code: rag.Timeout, Phase: "store", Mode: rag.Vector, Late: 30 * time.Millisecond,
					Degraded: []rag.Degraded{{Stage: "embed", Reason: "timeout"}}, Timings: rag.Timings{Total: 10030},
				})
			},
			want: map[string]float64{
				"weir_calls_total{code=timeout,mode=none,operation=retrieve}":        1,
				"weir_call_errors_total{code=timeout,phase=store}":                   1,
				"weir_call_duration_seconds_count{operation=retrieve,result=failed}": 1,
				"weir_call_duration_seconds_sum{operation=retrieve,result=failed}":   10.03,
				"weir_call_lateness_seconds_count{}":                                 1,
				"weir_call_lateness_seconds_sum{}":                                   .03,
			},
		},
		{
			name: "a refused call of vectors",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{Operation: "embed", Code: rag.RateLimited, Phase: "queue", Timings: rag.Timings{Queue: .5, Total: 1}})
			},
			want: map[string]float64{
				"weir_calls_total{code=rate_limited,mode=none,operation=embed}":    1,
				"weir_call_errors_total{code=rate_limited,phase=queue}":            1,
				"weir_call_duration_seconds_count{operation=embed,result=refused}": 1,
				"weir_call_duration_seconds_sum{operation=embed,result=refused}":   .001,
				"weir_stage_duration_seconds_count{stage=queue}":                   1,
				"weir_stage_duration_seconds_sum{stage=queue}":                     .0005,
			},
		},
		{
			name: "an attempt",
			event: func(m *Metrics) {
				m.AttemptEnded(embed.AttemptEnd{Purpose: rag.ForQuery, Texts: 7, Try: 1, Waited: 2 * time.Second, Took: 80 * time.Millisecond})
			},
			want: map[string]float64{
				"weir_provider_attempts_total{code=ok,phase=none,purpose=query}":              1,
				"weir_provider_attempt_duration_seconds_count{purpose=query,result=answered}": 1,
				"weir_provider_attempt_duration_seconds_sum{purpose=query,result=answered}":   .08,
				"weir_provider_batch_size_count{purpose=query}":                               1,
				"weir_provider_batch_size_sum{purpose=query}":                                 7,
				"weir_queue_age_seconds_count{purpose=query}":                                 1,
				"weir_queue_age_seconds_sum{purpose=query}":                                   2,
			},
		},
		{
			name: "a try again that failed; what it waited is not the queue's",
			event: func(m *Metrics) {
				m.AttemptEnded(embed.AttemptEnd{
					Purpose: rag.ForIngest, Texts: 3, Try: 2, Waited: time.Minute, Took: time.Second, Code: rag.Timeout, Phase: "headers",
				})
			},
			want: map[string]float64{
				"weir_provider_attempts_total{code=timeout,phase=headers,purpose=ingest}":    1,
				"weir_provider_attempt_duration_seconds_count{purpose=ingest,result=failed}": 1,
				"weir_provider_attempt_duration_seconds_sum{purpose=ingest,result=failed}":   1,
				"weir_provider_batch_size_count{purpose=ingest}":                             1,
				"weir_provider_batch_size_sum{purpose=ingest}":                               3,
			},
		},
		{
			name: "a call of the pipeline",
			event: func(m *Metrics) {
				m.EmbedEnded(embed.EmbedEnd{Purpose: rag.ForQuery, Texts: 4, CacheHits: 1, Attempts: 2, Took: time.Second, Code: rag.Unavailable, Phase: "dial"})
			},
			want: map[string]float64{
				"weir_embed_calls_total{code=unavailable,purpose=query}":         1,
				"weir_embed_texts_total{purpose=query}":                          4,
				"weir_embed_duration_seconds_count{purpose=query,result=failed}": 1,
				"weir_embed_duration_seconds_sum{purpose=query,result=failed}":   1,
				"weir_attempts_per_call_count{purpose=query}":                    1,
				"weir_attempts_per_call_sum{purpose=query}":                      2,
			},
		},
		{
			name: "an answer of the chat model",
			event: func(m *Metrics) {
				m.ChatAttemptEnded(chat.AttemptEnd{Try: 1, FirstToken: time.Second, Took: 3 * time.Second})
				m.ChatEnded(chat.End{Attempts: 1, Waited: time.Second, FirstToken: 2 * time.Second, Took: 4 * time.Second, FinishReason: "length"})
			},
			want: map[string]float64{
				"weir_chat_attempts_total{code=ok,phase=none}":      1,
				"weir_chat_calls_total{code=ok}":                    1,
				"weir_chat_finished_total{reason=length}":           1,
				"weir_chat_wait_seconds_count{}":                    1,
				"weir_chat_wait_seconds_sum{}":                      1,
				"weir_chat_first_token_seconds_count{}":             1,
				"weir_chat_first_token_seconds_sum{}":               2,
				"weir_chat_duration_seconds_count{result=answered}": 1,
				"weir_chat_duration_seconds_sum{result=answered}":   4,
			},
		},
		{
			name: "an answer that stalled, and one that was refused",
			event: func(m *Metrics) {
				m.ChatAttemptEnded(chat.AttemptEnd{Try: 1, FirstToken: time.Second, Took: 3 * time.Second, Code: rag.Timeout, Phase: "token"})
				m.ChatEnded(chat.End{Attempts: 1, FirstToken: time.Second, Took: 3 * time.Second, Code: rag.Timeout, Phase: "token"})
				m.ChatEnded(chat.End{Code: rag.Overloaded, Phase: "queue"})
			},
			want: map[string]float64{
				"weir_chat_attempts_total{code=timeout,phase=token}": 1,
				"weir_chat_calls_total{code=timeout}":                1,
				"weir_chat_calls_total{code=overloaded}":             1,
				"weir_chat_wait_seconds_count{}":                     1,
				"weir_chat_first_token_seconds_count{}":              1,
				"weir_chat_first_token_seconds_sum{}":                1,
				"weir_chat_duration_seconds_count{result=failed}":    1,
				"weir_chat_duration_seconds_sum{result=failed}":      3,
				"weir_chat_duration_seconds_count{result=refused}":   1,
			},
		},
		{
			name:  "a request",
			event: func(m *Metrics) { m.RequestEnded("POST", "/v1/retrieve", 200, 50*time.Millisecond) },
			want: map[string]float64{
				"weir_http_requests_total{method=POST,route=/v1/retrieve,status=200}":      1,
				"weir_http_request_duration_seconds_count{method=POST,route=/v1/retrieve}": 1,
				"weir_http_request_duration_seconds_sum{method=POST,route=/v1/retrieve}":   .05,
			},
		},
		{
			name: "what no set has is other",
			event: func(m *Metrics) {
				m.CallEnded(rag.CallEnd{Operation: "secret question", Code: "odd", Phase: "/home/alice"})
				m.AttemptEnded(embed.AttemptEnd{Purpose: 99, Texts: 1, Try: 2, Code: "odd", Phase: "odd"})
				m.RequestEnded("BREW", "/", 0, 0)
			},
			want: map[string]float64{
				"weir_calls_total{code=other,mode=none,operation=other}":                    1,
				"weir_call_errors_total{code=other,phase=other}":                            1,
				"weir_call_duration_seconds_count{operation=other,result=failed}":           1,
				"weir_provider_attempts_total{code=other,phase=other,purpose=other}":        1,
				"weir_provider_attempt_duration_seconds_count{purpose=other,result=failed}": 1,
				"weir_provider_batch_size_count{purpose=other}":                             1,
				"weir_provider_batch_size_sum{purpose=other}":                               1,
				"weir_http_requests_total{method=other,route=/,status=other}":               1,
				"weir_http_request_duration_seconds_count{method=other,route=/}":            1,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fresh()
			before := series(scrape(t, m))
			tt.event(m)
			if got := changed(before, series(scrape(t, m))); !maps.Equal(got, tt.want) {
				t.Errorf("changed:\n%s\nwant:\n%s", lines(got), lines(tt.want))
			}
		})
	}
}

func lines(m map[string]float64) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "  %s %g\n", k, m[k])
	}
	return b.String()
}

func TestStateIsReadAtEachScrape(t *testing.T) {
	load := rag.Load{
		InFlight: 1, MaxInFlight: 2, Waiting: 3, MaxWaiting: 4, Bytes: 5, MaxBytes: 6,
		PredictedWait: 1500 * time.Millisecond, OldestAge: 2500 * time.Millisecond, Refused: 7, Overruns: 8,
		Queued: 9, Working: 10, Moving: true, Moved: rag.Progress{Done: 11, Total: 12},
	}
	stats := embed.Stats{
		Queued: 1, QueuedIngest: 2, Pending: 3, PendingBytes: 4, Retrying: 5, Users: 6, Slots: 7, Cooling: 8, Limit: 9, MaxSlots: 10,
		MaxBatch: 11, Breaker: "half-open", BreakerOpens: 12, PauseMS: 13000, OldestMS: 14000, TypicalMS: 15000, Refused: 16, Retries: 17,
		CacheHits: 18, CacheMisses: 19, CacheEntries: 20, CacheBytes: 21, MaxCacheBytes: 22,
	}
	want := map[string]float64{
		"weir_calls_in_flight{}": 1, "weir_calls_in_flight_limit{}": 2, "weir_calls_waiting{}": 3, "weir_calls_waiting_limit{}": 4,
		"weir_calls_held_bytes{}": 5, "weir_calls_held_limit_bytes{}": 6, "weir_calls_predicted_wait_seconds{}": 1.5,
		"weir_calls_oldest_age_seconds{}": 2.5, "weir_refusals_total{}": 7, "weir_deadline_overruns_total{}": 8,
		"weir_documents_queued{}": 9, "weir_documents_in_work{}": 10, "weir_move_running{}": 1, "weir_move_passages_done{}": 11, "weir_move_passages{}": 12,
		"weir_queue_texts{purpose=query}": 1, "weir_queue_texts{purpose=ingest}": 2, "weir_pending_texts{}": 3, "weir_pending_bytes{}": 4,
		"weir_retrying_batches{}": 5, "weir_pending_users{}": 6, "weir_provider_slots_busy{}": 7, "weir_provider_slots_cooling{}": 8,
		"weir_provider_slots_limit{}": 9, "weir_provider_slots_max{}": 10, "weir_provider_batch_limit{}": 11,
		"weir_breaker_state{state=half-open}": 1, "weir_breaker_opens_total{}": 12, "weir_provider_pause_seconds{}": 13,
		"weir_provider_oldest_attempt_seconds{}": 14, "weir_provider_typical_attempt_seconds{}": 15, "weir_pipeline_refusals_total{}": 16,
		"weir_provider_retries_total{}": 17, "weir_cache_hits_total{}": 18, "weir_cache_misses_total{}": 19, "weir_cache_entries{}": 20,
		"weir_cache_bytes{}": 21, "weir_cache_limit_bytes{}": 22,
	}
	var (
		nowLoad  rag.Load
		nowStats embed.Stats
	)
	m := New("dev")
	m.Watch(func() rag.Load { return nowLoad }, func() embed.Stats { return nowStats })
	before := series(scrape(t, m))
	for name := range want {
		if v, ok := before[name]; !ok || v != 0 {
			t.Errorf("%s is not there at 0 from the start", name)
		}
	}
	nowLoad, nowStats = load, stats
	if got := changed(before, series(scrape(t, m))); !maps.Equal(got, want) {
		t.Errorf("changed:\n%s\nwant:\n%s", lines(got), lines(want))
	}
}

func TestWithoutAPipelineItsStateIsAbsent(t *testing.T) {
	m := New("dev")
	m.Watch(func() rag.Load { return rag.Load{} }, nil)
	families := scrape(t, m)
	if families["weir_breaker_state"] != nil || families["weir_deadline_overruns_total"] == nil {
		t.Error("the breaker's state is shown, or the overruns are not")
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	m := fresh()
	one(m)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// one has one event of each kind happen.
func one(m *Metrics) {
	m.CallEnded(rag.CallEnd{Operation: "retrieve", Mode: rag.Hybrid, Timings: rag.Timings{Queue: 1, Embed: 1, Search: 1, Total: 3}, Late: 1})
	m.CallEnded(rag.CallEnd{Operation: "embed", Code: rag.Timeout, Phase: "embed", Timings: rag.Timings{Queue: 1, Embed: 1, Total: 3}})
	m.AttemptEnded(embed.AttemptEnd{Purpose: rag.ForQuery, Texts: 1, Try: 1, Waited: 1, Took: time.Millisecond})
	m.EmbedEnded(embed.EmbedEnd{Purpose: rag.ForQuery, Texts: 1, Attempts: 1, Took: time.Millisecond})
	m.ChatAttemptEnded(chat.AttemptEnd{Try: 1, FirstToken: 1, Took: time.Millisecond})
	m.ChatEnded(chat.End{Attempts: 1, FirstToken: 1, Took: time.Millisecond, FinishReason: "stop"})
	m.RequestEnded("GET", "/healthz", 200, time.Millisecond)
}

func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	m := fresh()
	odd := func(i int) string { return fmt.Sprintf("word-%d", i) }
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			w := odd(i)
			m.CallEnded(rag.CallEnd{
				Operation: w, Mode: rag.Mode(w), Empty: rag.EmptyReason(w), Degraded: []rag.Degraded{{Stage: w, Reason: w}},
				Timings: rag.Timings{Queue: 1, Embed: 1, Search: 1},
			})
			m.CallEnded(rag.CallEnd{Operation: w, Code: rag.Code(w), Phase: w})
			m.AttemptEnded(embed.AttemptEnd{Purpose: rag.Purpose(i), Try: 1, Code: rag.Code(w), Phase: w})
			m.EmbedEnded(embed.EmbedEnd{Purpose: rag.Purpose(i), Code: rag.Code(w), Phase: w})
			m.ChatAttemptEnded(chat.AttemptEnd{Code: rag.Code(w), Phase: w})
			m.ChatEnded(chat.End{Code: rag.Code(w), Phase: w})
			m.ChatEnded(chat.End{FinishReason: w})
			m.RequestEnded(w, "/"+w, i, 0)
		}
	}
	flood(0, 2000)
	full := len(series(scrape(t, m)))
	flood(2000, 10000)
	if got := len(series(scrape(t, m))); got != full {
		t.Errorf("%d series became %d", full, got)
	}
	for name := range series(scrape(t, m)) {
		if strings.Contains(name, "word-") && !strings.HasPrefix(name, "weir_http_request") {
			t.Fatalf("%s has a value from nowhere", name)
		}
	}
}

func TestEventsAndScrapesSideBySide(t *testing.T) {
	const workers, rounds = 8, 200
	m := fresh()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				one(m)
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 20 {
				if _, err := m.registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := series(scrape(t, m))
	for _, name := range []string{
		"weir_calls_total{code=ok,mode=hybrid,operation=retrieve}", "weir_call_errors_total{code=timeout,phase=embed}",
		"weir_provider_attempts_total{code=ok,phase=none,purpose=query}", "weir_embed_texts_total{purpose=query}",
		"weir_http_requests_total{method=GET,route=/healthz,status=200}", "weir_call_lateness_seconds_count{}",
	} {
		if got[name] != workers*rounds {
			t.Errorf("%s is %g, want %d", name, got[name], workers*rounds)
		}
	}
}

// TestASourceThatHangsHoldsUpNothingElse: a service that is stuck on its mutex
// is when metrics are wanted most. The scrapes are given up, no more than a
// few pile up, and calls are counted meanwhile.
func TestASourceThatHangsHoldsUpNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, stuck := New("dev"), make(chan struct{})
		m.Watch(func() rag.Load { <-stuck; return rag.Load{} }, nil)
		h := m.Handler()
		get := func() (int, time.Duration) {
			began, w := time.Now(), httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
			return w.Code, time.Since(began)
		}
		for range maxScrapes {
			if code, took := get(); code != http.StatusServiceUnavailable || took != scrapeTimeout {
				t.Errorf("stuck: status %d after %v, want 503 after %v", code, took, scrapeTimeout)
			}
		}
		for range 100 {
			if code, took := get(); code != http.StatusServiceUnavailable || took != 0 {
				t.Fatalf("one too many: status %d after %v, want 503 at once", code, took)
			}
		}
		began := time.Now()
		for range 100 {
			one(m)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("counting took %v", took)
		}
		close(stuck)
		synctest.Wait()
		if code, _ := get(); code != http.StatusOK {
			t.Errorf("afterwards: status %d, want 200", code)
		}
	})
}

func BenchmarkCallEnded(b *testing.B) {
	m := fresh()
	e := rag.CallEnd{Operation: "retrieve", Mode: rag.Hybrid, Timings: rag.Timings{Queue: 1, Embed: 20, Search: 3, Total: 25}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.CallEnded(e)
		}
	})
}

func BenchmarkRequestEnded(b *testing.B) {
	m := fresh()
	b.ReportAllocs()
	for b.Loop() {
		m.RequestEnded("POST", "/v1/retrieve", 200, time.Millisecond)
	}
}

func BenchmarkScrape(b *testing.B) {
	m := fresh()
	one(m)
	h, r := m.Handler(), httptest.NewRequestWithContext(b.Context(), "GET", "/metrics", nil)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size), "bytes/scrape")
}
