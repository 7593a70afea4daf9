package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"weir/internal/chaos"
	"weir/internal/rag"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// choose takes files in the browser's file chooser, which must be open.
func (b *tab) choose(paths ...string) {
	b.t.Helper()
	var input cdp.BackendNodeID
	select {
	case input = <-b.chosen:
	case <-b.ctx.Done():
		b.t.Fatal("no file chooser opened")
	}
	b.run(dom.SetFileInputFiles(paths).WithBackendNodeID(input))
}

// record notes every status that a document is shown in.
func (b *tab) record() {
	b.t.Helper()
	b.run(chromedp.Evaluate(`{
		window.seen = [];
		new MutationObserver(() => { for (const e of document.querySelectorAll("#document-list .doc")) if (!seen.includes(e.dataset.status)) seen.push(e.dataset.status); })
			.observe(document.querySelector("#document-list"), { subtree: true, childList: true, attributes: true, characterData: true });
	}`, nil))
}

func TestUploadIsSeenAtEveryStage(t *testing.T) {
	p, env := provider(t)
	if err := p.Set(t.Context(), chaos.Slow); err != nil {
		t.Fatal(err)
	}
	s := serve(t, append(env, "WEIR_EMBEDDING_BATCH=1"))
	b := open(t, s.URL+"/#/documents", screen{})
	b.shows("#list-empty", "No documents yet")
	b.shot("documents-empty")
	b.record()
	b.click("#choose")
	b.choose(write(t, "lots.md", strings.Repeat("# Lot\n\nThis lot is stored in the cellar, on the shelf at the back of the room. ", 400)))
	b.shows(".doc[data-status=embedding] .status", "Being embedded, passage")
	b.shot("documents-embedding")
	if err := p.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.shows(".doc[data-status=ready] .status", "Ready")
	b.until("document.querySelector('#documents-status').textContent.includes('lots.md: Ready')")
	if seen := eval[string](b, "seen.join(' ')"); !strings.HasSuffix(seen, "embedding ready") {
		t.Errorf("seen: %s", seen)
	}
	b.shot("documents-ready")
}

func TestDropAndSameAgainAndTooOld(t *testing.T) {
	s := serve(t, nil)
	b := open(t, s.URL+"/", screen{})
	b.until("document.querySelector('#pill').dataset.level === 'ok'")
	one, two := write(t, "one.md", "# One\n\nThe first."), write(t, "two.txt", "The second, in plain text.")
	drop := func(paths ...string) {
		data := &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1}
		for _, e := range []input.DispatchDragEventType{input.DragEnter, input.DragOver, input.Drop} {
			b.run(input.DispatchDragEvent(e, 400, 500, data))
			if e == input.DragOver {
				b.until("document.querySelector('#veil').checkVisibility()")
				b.shot("drop")
			}
		}
	}
	drop(one, two)
	b.until("location.hash === '#/documents' && !document.querySelector('#veil').checkVisibility()")
	b.until("document.querySelectorAll('.doc[data-status=ready]').length === 2")
	drop(one)
	b.shows("#upload-list .status", "There already")
	b.click("#upload-list button")
	b.until("!document.querySelector('#uploads').checkVisibility()")
	drop(write(t, "bad.pdf", "%PDF-1.7\n"))
	b.shows(".doc[data-status=failed] .status", "Failed: ")
	damaged, err := filepath.Abs("../../cmd/weir/testdata/damaged-page.pdf")
	if err != nil {
		t.Fatal(err)
	}
	drop(damaged)
	b.shows(".doc[data-status=ready][data-partial=true] .status", "Ready, but page 2 of 3 cannot be read; all else is searched")
	drop(write(t, "one.md", "# One\n\nAnother first.")) // takes the older one's place
	b.until("[...document.querySelectorAll('.doc .name')].map((e) => e.innerText).sort().join() === 'bad.pdf,damaged-page.pdf,one.md,two.txt'")
	b.shot("documents-failed")
}

func TestFilterCancelAndDelete(t *testing.T) {
	p, env := provider(t)
	s := serve(t, env)
	put(t, s, "keep.md", "# Keep\n\nThis stays.")
	put(t, s, "drop.md", "# Drop\n\nThis goes.")
	if err := p.Set(t.Context(), chaos.Never); err != nil {
		t.Fatal(err)
	}
	b := open(t, s.URL+"/#/documents", screen{})
	b.until("document.querySelectorAll('.doc').length === 2")
	b.click("#choose")
	b.choose(write(t, "stuck.md", "# Stuck\n\nNobody embeds this."))
	b.shows(".doc .name", "stuck.md")
	b.click("[aria-label='Cancel stuck.md']")
	b.shows(".doc[data-status=canceled] .name", "stuck.md")
	b.until("document.activeElement.getAttribute('aria-label') === 'Delete stuck.md'")

	b.run(chromedp.SendKeys("#filter-name", "DROP", chromedp.ByQuery))
	b.until("document.querySelectorAll('.doc').length === 1")
	b.shows(".doc .name", "drop.md")
	b.click("[aria-label='Delete drop.md']")
	b.until("document.querySelector('#sure').open")
	b.shows("#sure-text", "drop.md")
	b.shot("delete")
	b.keys(kb.Escape) // no
	b.until("!document.querySelector('#sure').open && document.activeElement.getAttribute('aria-label') === 'Delete drop.md'")
	// Who says no, and asks again before the page has heard of it, is asked again.
	b.run(chromedp.Evaluate(`{ const d = document.querySelector("[aria-label='Delete drop.md']"); d.click(); document.querySelector("#sure").close("no"); d.click(); }`, nil))
	b.click("#sure-yes")
	b.shows("#list-empty", "No document is like that")
	b.until("document.activeElement.id === 'list-title'")
	b.run(chromedp.Evaluate("document.querySelector('#filter-name').value = ''; document.querySelector('#filter-status').value = 'ready'; document.querySelector('#filter-status').dispatchEvent(new Event('change'))", nil))
	b.until("[...document.querySelectorAll('.doc .name')].map((e) => e.innerText).join() === 'keep.md'")
	docs, _, err := s.Client.Documents(t.Context(), "default", rag.Page{Limit: 50})
	if err != nil || len(docs) != 2 {
		t.Errorf("the server has %v, %v", docs, err)
	}
}

// What is stored in a document, or in its name, is text on the page.
func TestStoredHTMLIsText(t *testing.T) {
	s := serve(t, nil)
	name := `<img src=x onerror=alert(1)><script>alert(2)<\script>.md`
	put(t, s, name, "# <script>alert('title')</script>\n\nzebra <img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script> <svg onload=alert(3)> [x](javascript:alert(4))\n")
	put(t, s, "page.html", "<html><head><title>t</title><script>document.title='owned'</script></head><body><h1>zebra &lt;script&gt;alert(5)&lt;/script&gt;</h1><p onclick=alert(6)>the zebra &lt;img src=x onerror=alert(7)&gt;</p></body></html>")
	b := open(t, s.URL+"/#/documents", screen{})
	b.shows(".doc .name", name)
	b.click("nav [data-view=ask]")
	b.onlyPassages()
	b.ask("zebra <script>alert(8)</script>")
	b.shows("#passage-list", "onerror")
	b.shows("#passage-list h3", "<img src=x onerror=alert(1)>")
	b.shot("stored-html")
	if got := eval[float64](b, "document.querySelectorAll('main img, main script, main svg:not(.drop svg, .spark)').length"); got != 0 {
		t.Errorf("%v elements came out of a document", got)
	}
	if title := eval[string](b, "document.title"); title != "Ask · Weir" {
		t.Errorf("the title is %q", title)
	}
	// The policy itself holds where the scripts would not.
	for what, expression := range map[string]string{
		"HTML of a string": "(() => { try { document.createElement('div').innerHTML = '<b>x</b>'; return 'allowed'; } catch (e) { return e.name; } })()",
		"code of a string": "(() => { try { document.createElement('script').text = '1'; return 'allowed'; } catch (e) { return e.name; } })()",
	} {
		b.expect("Trusted|trusted|require-trusted-types")
		if got := eval[string](b, expression); got != "TypeError" {
			t.Errorf("%s: %s", what, got)
		}
	}
}
