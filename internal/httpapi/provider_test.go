package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/embed"
	"weir/internal/openai"
	"weir/internal/rag"
)

const providerDim = 24

// newProvided is a house whose vectors come from a provider over real sockets,
// by way of the pipeline.
func newProvided(t *testing.T, service rag.Config) (*house, *chaos.Provider) {
	t.Helper()
	provider, err := chaos.Start(t.Context(), chaos.Config{Dim: providerDim, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := embed.New(embed.Config{BaseURL: provider.URL(), Model: "m", Dimensions: providerDim})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := provider.Close(); err != nil {
			t.Error(err)
		}
	})
	return newHouseWith(t, Config{Timeout: service.Timeout}, service, p), provider
}

// post sends one request for embeddings over the network.
func (h *house) post(t *testing.T, body string, headers ...string) *response {
	t.Helper()
	head := "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
	for i := 0; i+1 < len(headers); i += 2 {
		head += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	return h.say(t, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
}

// TestEmbeddingsFromAProvider: many callers at once, in all forms, and each has
// the vectors of its own texts.
func TestEmbeddingsFromAProvider(t *testing.T) {
	h, _ := newProvided(t, rag.Config{MaxInFlight: 64, UserShare: 1})
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			texts := []string{fmt.Sprintf("one of %d", i), "common", fmt.Sprintf("two of %d", i)}
			body := fmt.Sprintf(`{"model":"m","input":[%q,%q,%q],"encoding_format":"base64"}`, texts[0], texts[1], texts[2])
			if i%2 == 1 { // the same as tokens, which are letters here
				body = fmt.Sprintf(`{"model":"m","input":[%s,%s,%s]}`, spelt(texts[0]), spelt(texts[1]), spelt(texts[2]))
			}
			got := h.post(t, body)
			answer, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: 3, Values: providerDim})
			if err != nil || len(answer.Data) != 3 {
				t.Errorf("%d, %v: %s", got.status, err, got.body)
				return
			}
			for n, e := range answer.Data {
				if e.Index != n || !chaos.Matches(texts[n], e.Vector) {
					t.Errorf("item %d of caller %d is not its own", n, i)
				}
			}
		})
	}
	callers.Wait()
}

func spelt(text string) string {
	var ids []string
	for _, b := range []byte(text) {
		ids = append(ids, fmt.Sprint(b))
	}
	return "[" + strings.Join(ids, ",") + "]"
}

// TestEmbeddingsOfABrokenProvider: the caller has an error by its deadline, and
// what is known is still answered.
func TestEmbeddingsOfABrokenProvider(t *testing.T) {
	for _, tt := range []struct {
		fault chaos.Fault
		code  string
	}{
		{chaos.Never, "timeout"},
		{chaos.Silent, "timeout"},
		{chaos.Refuses, "unavailable"},
		{chaos.Status401, "unavailable"},
		{chaos.Garbage, "unavailable"},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			h, provider := newProvided(t, rag.Config{Timeout: 10 * time.Second})
			if got := h.post(t, `{"input":"known"}`); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if err := provider.Set(t.Context(), tt.fault); err != nil {
				t.Fatal(err)
			}
			got := h.post(t, `{"input":"new"}`, "X-Weir-Timeout-Ms", "400")
			message, _, _, code := got.openAIError(t)
			status := map[string]int{"timeout": http.StatusGatewayTimeout, "unavailable": http.StatusServiceUnavailable}[code]
			if code != tt.code && code != "timeout" || got.status != status { // out of time is what any of them may be
				t.Errorf("got %d %s: %s", got.status, code, message)
			}
			if got.header.Get("X-Should-Retry") != "false" {
				t.Error("the client would go on after its deadline")
			}
			if got := h.post(t, `{"input":"known"}`); got.status != 200 {
				t.Errorf("what is known: %d %s", got.status, got.body)
			}
		})
	}
}
