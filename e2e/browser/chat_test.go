package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// chatProvider is a chat model that says the same to everybody, or fails.
func chatProvider(t *testing.T) (env []string, down *atomic.Bool) {
	t.Helper()
	down = &atomic.Bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range []string{"The dinghy is ", "called **Petrel** [1", "], and nothing ", "else is [7]."} {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", piece)
			_ = http.NewResponseController(w).Flush()
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return []string{"WEIR_CHAT_MODEL=test-chat", "WEIR_CHAT_BASE_URL=" + s.URL + "/v1", "WEIR_CHAT_API_KEY=sk-test"}, down
}

// The whole way: the page, the server and a chat provider.
func TestAnswerOfTheServer(t *testing.T) {
	env, down := chatProvider(t)
	s := serve(t, env)
	put(t, s, "boats.md", "# Boats\n\nThe dinghy is called Petrel.")
	b := open(t, s.URL, screen{})
	b.ask("What is the dinghy called?")
	b.shows("#answer-foot", "test-chat")
	b.shows("#answer-body strong", "Petrel")
	b.shows("#notices", "A citation was taken out")
	b.click("#answer-body .cite")
	b.until("document.activeElement.id === 'passage-1'")
	b.shot("answer-real")
	down.Store(true)
	b.ask("And what is the dinghy called now?")
	b.shows("#notices [data-level=warn]", "No answer was written")
	b.shows("#passage-1", "Petrel")
	b.shows("#banner", "The chat provider")
	b.shot("outage-chat")
	b.click("#banner-link")
	b.until("document.querySelector('#chat [data-bad=true]')")
	down.Store(false)
}

func TestNoChatModelIsSaid(t *testing.T) {
	s := serve(t, nil)
	put(t, s, "boats.md", "# Boats\n\nThe dinghy is called Petrel.")
	b := open(t, s.URL, screen{})
	b.ask("What is the dinghy called?")
	b.shows("#notices [data-level=info]", "No answer was written")
	b.shows("#passage-1", "Petrel")
	b.until("!document.querySelector('#answer').checkVisibility()")
	b.shot("no-chat-model")
}
