package browser

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"weir/internal/chaos"
)

// A provider that is down is told at once, and is no "nothing found".
func TestProviderDown(t *testing.T) {
	for _, fault := range []chaos.Fault{chaos.Refuses, chaos.Never, chaos.Status500} {
		t.Run(string(fault), func(t *testing.T) {
			p, env := provider(t)
			s := serve(t, append(env, "WEIR_TIMEOUT=4s"))
			put(t, s, "boats.md", "# Boats\n\nThe dinghy is called Petrel.")
			b := open(t, s.URL, screen{})
			b.until("document.querySelector('#pill').dataset.level === 'ok'")
			if err := p.Set(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
			b.onlyPassages()
			b.ask("What is the dinghy called?")
			if fault == chaos.Never {
				b.shows("#ask-wait", "Searching your documents")
			}
			b.shows("#notices .notice", "Search by meaning did not do its part")
			b.shows("#notices .notice", "found by words alone")
			b.shows("#passage-1 mark", "dinghy")
			b.until("!document.querySelector('#ask-wait').checkVisibility()")
			b.shows("#passage-1 .measure", "found by words")
			b.shows("#banner", "embedding provider")
			b.shot("outage-ask-" + string(fault))
			b.ask("zzzzqqqq")
			b.shows("#notices [data-level=warn]", "Nothing found by the part of the search that works")
			b.click("#banner-link")
			b.shows("#flow-state", "The embedding provider")
			b.shows("#events [data-level]", "The embedding provider")
			b.until("document.querySelector('#tile-failed').dataset.bad === 'true' || document.querySelector('#provider [data-bad=true]')")
			b.shot("outage-flow-" + string(fault))
			b.click("nav [data-view=documents]")
			b.click("#choose")
			b.choose(write(t, "new.md", "# New\n\nAdded while the provider was down."))
			b.shows(".doc[data-status]:not([data-status=ready]) .name", "new.md")
			if err := p.Heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.shows(".doc[data-status=ready] .name", "new.md")
			b.click("nav [data-view=ask]") // calls find out that it is back
			b.ask("And what is new?")
			b.run(chromedp.Evaluate(`window.again = setInterval(() => { document.querySelector("#question").value += " new"; document.querySelector("#ask-form").requestSubmit(); }, 700)`, nil))
			b.shows("#passage-1 .measure", "similarity")
			b.until("!document.querySelector('#banner').checkVisibility() && document.querySelector('#pill').dataset.level === 'ok'")
			b.run(chromedp.Evaluate("clearInterval(again)", nil))
		})
	}
}

func TestServerGone(t *testing.T) {
	s := serve(t, []string{"WEIR_EMBEDDER=none"})
	d := newStand(t, s)
	b := open(t, d.url+"/#/flow", screen{})
	b.shows("#flow-state", "All is well")
	b.expect("net::ERR|status of 50")
	d.goAway()
	b.shows("#banner", "No contact with the server since ")
	b.shows("#pill", "no contact")
	b.shows("#flow-state", "What is shown is from before")
	b.shot("no-contact")
	b.click("nav [data-view=ask]")
	b.onlyPassages()
	b.ask("anybody?")
	b.shows("#notices [data-code=no_contact]", "No contact with the server")
	b.click("nav [data-view=documents]")
	b.shows("#list-notice", "No contact with the server")
	b.until("!document.querySelector('#list-empty').checkVisibility()") // it is not known
	d.come()
	b.until("!document.querySelector('#banner').checkVisibility()")
	b.shows("#list-empty", "No documents yet")
	b.click("nav [data-view=flow]")
	b.shows("#events", "Over: no contact with the server")
}

func TestKeyIsAskedForAndSent(t *testing.T) {
	d := newStand(t, serve(t, nil))
	inner := d.mux
	var mu sync.Mutex
	var users []string
	d.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.String(), "sk-secret") {
			t.Errorf("the key is in an address: %s", r.URL)
		}
		if strings.HasPrefix(r.URL.Path, "/v1/") && r.Header.Get("Authorization") != "Bearer sk-secret" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":401,"code":"unauthorized","detail":"a key is needed"}`))
			return
		}
		mu.Lock()
		users = append(users, r.Header.Get("X-User-ID"))
		mu.Unlock()
		inner.ServeHTTP(w, r)
	})
	b := open(t, d.url+"/#/documents", screen{})
	b.expect("status of 401")
	b.until("document.querySelector('#who-dialog').open && document.activeElement.id === 'who-key'")
	b.shows("#who-error", "asks for a key")
	b.shows("#pill", "key needed")
	b.shot("key")
	b.run(chromedp.SendKeys("#who-key", "wrong", chromedp.ByQuery))
	b.keys(kb.Enter)
	b.shows("#who-error", "does not take this key")
	b.run(chromedp.SetValue("#who-key", "sk-secret", chromedp.ByQuery), chromedp.SetValue("#who-user", "Zoë 电", chromedp.ByQuery))
	b.keys(kb.Enter)
	b.until("document.querySelector('#pill').dataset.level === 'ok'")
	b.shows("#who-name", "Zoë 电")
	b.click("#choose") // an upload and its events carry it too
	b.choose(write(t, "mine.md", "# Mine\n\nOf Zoë."))
	b.shows(".doc[data-status=ready] .name", "mine.md")
	mu.Lock()
	last := users[len(users)-1]
	mu.Unlock()
	if last != "Zoë 电" {
		t.Errorf("the server was told of %q", last)
	}
	if kept := eval[string](b, "sessionStorage.getItem('weir.key') + JSON.stringify(localStorage)"); !strings.HasPrefix(kept, "sk-secret") || strings.Count(kept, "sk-secret") != 1 {
		t.Errorf("kept: %s", kept)
	}
	b.click("#who") // another user has other documents
	b.run(chromedp.SetValue("#who-user", "somebody", chromedp.ByQuery))
	b.keys(kb.Enter)
	b.shows("#list-empty", "No documents yet")
}
