package browser

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// writer is a chat model's part, step by step: what is sent on it is written
// to whoever asks, until it is closed.
type writer struct {
	events chan string
	left   chan struct{} // has a value for each reader who left before the end
	asked  chan string   // bodies of the questions
}

// newWriter answers /v1/ask at the stand.
func newWriter(d *stand) *writer {
	w := &writer{events: make(chan string), left: make(chan struct{}, 8), asked: make(chan string, 8)}
	d.mux.HandleFunc("POST /v1/ask", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.asked <- string(body)
		rw.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case e, more := <-w.events:
				if !more {
					return
				}
				if e == "break" {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(rw, e)
				_ = http.NewResponseController(rw).Flush()
				if strings.HasPrefix(e, "event: done") || strings.HasPrefix(e, "event: error") {
					return
				}
			case <-r.Context().Done():
				w.left <- struct{}{}
				return
			}
		}
	})
	return w
}

const (
	twoChunks = `[{"id":"d1:0","doc_id":"d1","chunk_index":0,"content":"The dinghy is called Petrel and lies at the pier.","section_path":[2],"section_title":"Boats > Dinghy","page_start":3,"page_end":3,"similarity":0.71,"tokens":9,"filename":"boats.pdf","score":0.9,"primary":true},` +
		`{"id":"d2:4","doc_id":"d2","chunk_index":4,"content":"Life jackets hang in the shed.","section_path":[],"section_title":null,"page_start":null,"page_end":null,"similarity":null,"tokens":9,"filename":"notes.md","score":0.4,"primary":true}]`
	found     = `"operation_id":"op-1","mode":"hybrid","tokens":18,"truncated":false`
	timesOf   = `"timings_ms":{"queue":0,"embed":3,"search":1,"first_token":120,"answer":900,"total":1000}`
	passages2 = "event: passages\ndata: {" + found + `,"chunks":` + twoChunks + `,"timings_ms":{"queue":0,"embed":3,"search":1,"total":5}}` + "\n\n"
)

func text(s string) string { return fmt.Sprintf("event: text\ndata: {\"text\":%q}\n\n", s) }

func done(answer, model string, answered bool, more string) string {
	return fmt.Sprintf("event: done\ndata: {%s,\"answer\":%q,\"model\":%q,\"answered\":%v,\"citations\":[{\"number\":1},{\"number\":2}],\"dropped_citations\":0,\"passages\":%s,%s%s}\n\n", found, answer, model, answered, twoChunks, timesOf, more)
}

func asking(t *testing.T) (*tab, *writer) {
	t.Helper()
	d := newStand(t, serve(t, []string{"WEIR_EMBEDDER=none"}))
	w := newWriter(d)
	b := open(t, d.url, screen{})
	b.ask("What is the dinghy called?")
	if got := <-w.asked; got != `{"query":"What is the dinghy called?","max_chunks":5}` {
		t.Errorf("asked %s", got)
	}
	b.until("document.querySelector('#ask-stop').checkVisibility()")
	w.events <- passages2
	b.shows("#passage-2 h3", "notes.md") // before a word is written
	b.shows("#answer", "Reading the passages…")
	return b, w
}

func TestAnswerComesInPieces(t *testing.T) {
	b, w := asking(t)
	w.events <- text("The dinghy is called **Pet")
	b.shows("#answer-body", "The dinghy is called")
	w.events <- text("rel** [1")
	b.until("document.querySelector('#answer-body strong')?.innerText === 'Petrel' && !document.querySelector('#answer-body').innerText.includes('[1')")
	w.events <- ": still here\n\n"
	w.events <- text("] and")
	b.until("document.querySelectorAll('#answer-body .cite').length === 1")
	b.run(chromedp.Focus("#answer-body .cite", chromedp.ByQuery))
	w.events <- text(" only that.\n\n- Jackets hang in the shed [2]\n")
	b.until("document.querySelectorAll('#answer-body .cite').length === 2")
	if !eval[bool](b, "document.activeElement.matches('#answer-body .cite')") {
		t.Error("the citation has lost the focus to what was written after it")
	}
	b.shot("answer-streaming")
	if said := eval[string](b, "document.querySelector('#ask-status').innerText"); !strings.Contains(said, "being written") {
		t.Errorf("while it is written, said: %q", said)
	}
	w.events <- done("The dinghy is called **Petrel** [1] and only that.\n\n- Jackets hang in the shed [2]\n", "gpt-test", true, "")
	b.shows("#answer-foot", "gpt-test · first word after 120 ms")
	b.until("document.querySelector('#ask-status').innerText.includes('complete, with 2 citations')")
	b.until("!document.querySelector('#ask-stop').checkVisibility()")
	b.click("#answer-body .cite")
	b.until("document.activeElement.id === 'passage-1' && document.activeElement.classList.contains('cited')")
	b.shows("#passage-1 .page", "3")
	if label := eval[string](b, "document.querySelector('#answer-body .cite').getAttribute('aria-label')"); label != "Passage 1: boats.pdf, page 3" {
		t.Errorf("the citation is called %q", label)
	}
	b.shot("answer-citation")
}

func TestStopEndsTheCall(t *testing.T) {
	for _, how := range []string{"button", "escape"} {
		t.Run(how, func(t *testing.T) {
			b, w := asking(t)
			w.events <- text("The dinghy")
			b.shows("#answer-body", "The dinghy")
			if how == "button" {
				b.click("#ask-stop")
			} else {
				b.run(chromedp.Focus("#question", chromedp.ByQuery))
				b.keys(kb.Escape)
			}
			<-w.left // the server is told, too
			b.shows("#notices", "Stopped")
			b.shows("#answer-foot", "It is not whole")
			b.until("document.activeElement.id === 'question'")
		})
	}
}

func TestAnswersThatAreNotWhole(t *testing.T) {
	tests := []struct{ name, event, code, says string }{
		{"the connection breaks", "break", "no_contact", "No contact with the server"},
		{"the stream ends early", "end", "no_contact", "broke before the answer was whole"},
		{"the provider fails midway", `event: error` + "\n" + `data: {"status":503,"code":"unavailable","detail":"the chat provider broke off","retry_after_ms":2000,"operation_id":"op-9"}` + "\n\n", "unavailable", "The chat provider broke off. Try again in 2.0 s."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, w := asking(t)
			b.expect("ERR_INCOMPLETE_CHUNKED|net::ERR")
			w.events <- text("The dinghy is")
			b.shows("#answer-body", "The dinghy is")
			if tt.event == "end" {
				close(w.events)
			} else {
				w.events <- tt.event
			}
			b.shows("#notices [data-code="+tt.code+"]", tt.says)
			b.shows("#answer-foot", "This answer broke off. It is not whole.")
			b.shows("#passage-1 h3", "boats.pdf") // what was found stays
			b.shot("answer-broken")
		})
	}
}

func TestAnswersThatSayWhatTheyLack(t *testing.T) {
	tests := []struct {
		name, event string
		notice      string
		answer      bool
		told        string // to who cannot see it
	}{
		{"no chat model", done("No chat model is set.\n\n1. boats", "", false, `,"degraded":[{"stage":"answer","reason":"no_chat_model","message":"no chat model is set (WEIR_CHAT_MODEL)"}]`), "No answer was written. No chat model is set", false, "No answer was written."},
		{"the chat provider is down", done("x", "", false, `,"degraded":[{"stage":"answer","reason":"unavailable","message":"the chat provider is down","retry_after_ms":1500}]`), "The chat provider is down. Try again in 1.5 s.", false, "No answer was written."},
		{"the documents do not say", done("The passages do not say.", "gpt-test", false, ""), "Not answered by your documents", true, "Your documents do not answer this."},
		{"a citation was dropped", done("Petrel.", "gpt-test", true, `,"degraded":[{"stage":"answer","reason":"citations_dropped"}]`), "A citation was taken out", true, "The answer is complete, with "},
		{"by words alone", done("Petrel [1].", "gpt-test", true, `,"degraded":[{"stage":"embed","reason":"timeout","message":"the provider did not answer"}]`), "Search by meaning did not do its part", true, "The answer is complete, with "},
		{"it is cut off", done("Petrel [1], and", "gpt-test", true, `,"finish_reason":"length","degraded":[{"stage":"answer","reason":"length","message":"the answer was cut off"}]`), "The answer was cut short", true, "The answer was cut short, with "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, w := asking(t)
			w.events <- tt.event
			b.shows("#notices .notice", tt.notice)
			b.until(fmt.Sprintf("document.querySelector('#answer').checkVisibility() === %v", tt.answer))
			b.shows("#passage-1 h3", "boats.pdf")
			b.until(fmt.Sprintf("document.querySelector('#ask-status').textContent.startsWith(%q)", tt.told))
		})
	}
}

// A refusal is no answer, and no "nothing found" either.
func TestRefusals(t *testing.T) {
	d := newStand(t, serve(t, []string{"WEIR_EMBEDDER=none"}))
	d.mux.HandleFunc("POST /v1/ask", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"title":"The server is full","status":503,"code":"overloaded","detail":"all places are taken","retry_after_ms":1200,"operation_id":"op-7"}`)
	})
	b := open(t, d.url, screen{})
	b.expect("status of 503")
	b.ask("anything")
	b.shows("#notices [data-code=overloaded]", "The server is full. All places are taken. Try again in 1.2 s.")
	b.shows("#notices", "op-7")
	b.until("!document.querySelector('#results').checkVisibility()")
	b.shot("refused")
}

func TestNothingFoundSaysWhy(t *testing.T) {
	s := serve(t, nil)
	b := open(t, s.URL, screen{})
	b.onlyPassages()
	b.ask("anything")
	b.shows("#notices [data-code=no_documents]", "There are no documents yet")
	put(t, s, "a.md", "# A\n\nThe dinghy is called Petrel.")
	b.ask("zzzzqqqq")
	b.until("document.querySelector('#notices [data-code=no_match], #notices [data-code=below_threshold]')")
	b.shot("nothing-found")
}
