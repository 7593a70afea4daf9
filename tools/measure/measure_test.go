package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"weir/internal/load"
	"weir/internal/openai"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seconds makes a report of which each second was due 100 and answered as
// given.
func seconds(ok ...int) *load.Report {
	r := &load.Report{}
	for i, n := range ok {
		r.Seconds = append(r.Seconds, load.Second{At: i, Due: 100, OK: n})
	}
	return r
}

func TestRecovered(t *testing.T) {
	tests := []struct {
		name     string
		ok       []int
		from, to int
		want     int
	}{
		{"at once", []int{100, 100, 100, 100}, 0, 4, 0},
		{"after two", []int{0, 50, 100, 100, 100}, 0, 5, 2},
		{"counted from", []int{100, 100, 0, 20, 100, 100, 100, 100}, 2, 8, 4},
		{"jitter is none", []int{0, 95, 103, 92, 110, 98}, 0, 6, 1},
		{"a relapse", []int{100, 100, 100, 0, 100, 100, 100}, 0, 7, 4},
		{"never", []int{0, 0, 0, 0}, 0, 4, -1},
		{"too late to tell", []int{0, 0, 0, 100, 100}, 0, 5, -1},
		{"most of it is not all of it", []int{0, 91, 91, 91, 91}, 0, 5, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := recovered(seconds(tt.ok...), tt.from, tt.to); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestWhole(t *testing.T) {
	r := seconds(10, 20, 30)
	r.Seconds[1].Degraded = 20
	if got := whole(r, 1, 3); got != 15 {
		t.Errorf("got %v", got)
	}
	if got := whole(r, 7, 9); got != 0 {
		t.Errorf("of no second: %v", got)
	}
}

func TestMedians(t *testing.T) {
	ms := func(n ...time.Duration) []time.Duration {
		for i := range n {
			n[i] *= time.Millisecond
		}
		return n
	}
	if got := added(ms(1, 2, 90), ms(4, 3, 91)); got != "+1.00 ms" {
		t.Errorf("added %s", got)
	}
	if got := ranged(ms(3, 1, 2, 50)); got != "2.00 ms (1.00 ms to 50 ms)" {
		t.Errorf("got %s", got)
	}
}

func TestDesk(t *testing.T) {
	d, err := openDesk(t.Context(), 8, 2, time.Millisecond, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	ask := func(body string) (int, []byte) {
		resp, err := client.Post(d.url+"/embeddings", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b
	}
	for _, encoding := range []string{"float", "base64"} {
		status, b := ask(`{"model":"chaos","input":["a","b"],"encoding_format":"` + encoding + `"}`)
		e, err := openai.DecodeEmbeddings(b, openai.Limits{Items: 2, Values: 8})
		if status != http.StatusOK || err != nil || len(e.Data) != 2 || len(e.Data[1].Vector) != 8 || e.Data[1].Index != 1 {
			t.Errorf("%s: %d %s", encoding, status, b)
		}
	}
	if status, _ := ask(`{"model":"chaos","input":["a","b","c"]}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a batch of three: %d", status)
	}
	if status, _ := ask(`{`); status != http.StatusBadRequest {
		t.Errorf("no JSON: %d", status)
	}
	if d.texts.Load() != 4 || d.calls.Load() != 4 {
		t.Errorf("%d texts in %d calls", d.texts.Load(), d.calls.Load())
	}
}

func TestWrongUses(t *testing.T) {
	for _, args := range [][]string{nil, {"everything"}, {"soak", "now"}, {"soak", "-dim", "0"}, {"soak", "-seconds", "many"}, {"soak", "-seconds", "0", "-weir", "none"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

// Each measurement, in seconds, with a Weir that is built for it.
func TestSmoke(t *testing.T) {
	if os.Getenv("WEIR_E2E") == "" {
		t.Skip("WEIR_E2E=1 runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := &site{dir: t.TempDir(), talk: io.Discard}
	if err := s.build(ctx); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"overload", "-seconds", "2", "-modes", "vector"},
		{"outage", "-seconds", "2", "-before", "2", "-after", "4", "-faults", "503", "-modes", "hybrid"},
		{"overhead", "-seconds", "1", "-rounds", "1", "-rate", "200"},
		{"soak", "-seconds", "4", "-look", "1s", "-every", "1s"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var out, talk bytes.Buffer
			if err := run(ctx, append(args, "-weir", s.binary), &out, &talk); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("%v\n%s", err, talk.String())
			}
			if n := strings.Count(out.String(), "\n| "); n < 2 {
				t.Errorf("it printed\n%s", out.String())
			}
		})
	}
}
