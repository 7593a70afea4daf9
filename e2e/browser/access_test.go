package browser

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"weir/internal/chaos"
)

// All that the page does, with no mouse.
func TestKeyboardAlone(t *testing.T) {
	s := serve(t, nil)
	b := open(t, s.URL+"/#/flow", screen{})
	b.shows("#flow-state", "All is well")
	tabTo := func(selector string) {
		t.Helper()
		quoted, _ := json.Marshal(selector)
		for range 60 { // round by the beginning
			if eval[bool](b, "document.activeElement.matches("+string(quoted)+")") {
				return
			}
			b.keys(kb.Tab)
		}
		t.Fatalf("Tab does not come to %s", selector)
	}
	b.keys(kb.Tab)
	if at := eval[string](b, "document.activeElement.className"); at != "skip" {
		t.Errorf("Tab first comes to %q, not to the link that skips", at)
	}
	b.keys(kb.Enter)
	b.until("document.activeElement.id === 'main'")
	tabTo("nav [data-view=documents]")
	b.keys(kb.Enter)
	b.until("document.activeElement.id === 'documents-title'")
	tabTo("#choose")
	b.keys(kb.Enter)
	b.choose(write(t, "boats.md", "# Boats\n\nThe dinghy is called Petrel. "+strings.Repeat("It lies at the pier all summer. ", 30)))
	b.shows(".doc[data-status=ready] .name", "boats.md")
	tabTo("nav [data-view=ask]")
	b.keys(kb.Enter)
	b.until("document.activeElement.id === 'question'")
	tabTo("summary")
	b.keys(kb.Enter)
	tabTo("#write")
	b.keys(" ")
	b.run(chromedp.Focus("#question", chromedp.ByQuery))
	b.keys("what is the dinghy called?", kb.Enter)
	b.shows("#passage-1 h3", "boats.md")
	tabTo("#passage-1 .toggle button")
	b.keys(kb.Enter)
	b.until("document.querySelector('#passage-1 .toggle button').getAttribute('aria-expanded') === 'true'")
	tabTo("nav [data-view=documents]")
	b.keys(kb.Enter)
	tabTo("[aria-label='Delete boats.md']")
	b.keys(kb.Enter)
	b.until("document.activeElement.id === 'sure-yes'")
	b.keys(kb.Enter)
	b.shows("#list-empty", "No documents yet")
}

// What has the focus can be seen to have it.
func TestFocusIsSeen(t *testing.T) {
	b := open(t, serve(t, nil, "--docs", examples).URL+"/#/documents", screen{})
	b.shows(".doc", "plan-handbook.pdf")
	for range 25 {
		b.keys(kb.Tab)
		seen := eval[string](b, `(() => { const e = document.activeElement, s = getComputedStyle(e); return e === document.body || (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2) ? "" : e.outerHTML; })()`)
		if seen != "" {
			t.Errorf("the focus cannot be seen on %s", seen)
		}
	}
}

func TestNoViewScrollsSideways(t *testing.T) {
	s := serve(t, nil, "--docs", examples)
	put(t, s, strings.Repeat("averylongnamewithoutanyspace", 8)+".md", "# "+strings.Repeat("Wide", 60)+"\n\n"+strings.Repeat("unbreakable", 40)+" handbook")
	for _, width := range []int64{320, 375, 768, 1280} {
		b := open(t, s.URL, screen{width: width, height: 800, phone: width < 500})
		fits := func(what string) {
			t.Helper()
			if over := eval[float64](b, "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
				t.Errorf("%d px: %s is %v px too wide", width, what, over)
			}
			b.shot(what + "-" + map[int64]string{320: "320", 375: "phone", 768: "tablet", 1280: "desk"}[width])
		}
		b.until("document.querySelector('#pill').dataset.level === 'ok'")
		fits("empty")
		if over := eval[float64](b, `(() => { const q = document.querySelector("#question"), s = getComputedStyle(q), c = document.createElement("canvas").getContext("2d"); c.font = s.font; return c.measureText(q.placeholder).width - (q.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight)); })()`); over > 0 {
			t.Errorf("%d px: what stands in the empty box is cut off, by %v px", width, over)
		}
		b.onlyPassages()
		b.ask("handbook unbreakable")
		b.shows("#passage-1", "handbook")
		fits("passages")
		b.click("nav [data-view=documents]")
		b.shows(".doc", "plan-handbook.pdf")
		fits("documents")
		b.click("nav [data-view=flow]")
		b.shows("#server", "Version")
		fits("flow")
		if width >= 360 { // the head does not jump when there is trouble
			low := eval[float64](b, `(() => { const t = document.querySelector("#pill-text"), was = t.textContent, top = document.querySelector("header"), h = top.offsetHeight; t.textContent = "provider pauses"; const more = top.offsetHeight - h; t.textContent = was; return more; })()`)
			if low != 0 {
				t.Errorf("%d px: the head grows by %v px", width, low)
			}
		}
		b.click("#who")
		fits("who")
	}
}

// axe runs axe-core over what is shown, and fails on what is serious.
func (b *tab) axe(source, what string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(source, nil))
	type violation struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	found := eval[[]violation](b, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => ({ ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => ({ HTML: n.html, FailureSummary: n.failureSummary })) })))`)
	for _, v := range found {
		report := b.t.Logf
		if v.Impact == "serious" || v.Impact == "critical" || v.Impact == "moderate" {
			report = b.t.Errorf
		}
		for _, n := range v.Nodes {
			report("%s: %s (%s): %s\n%s\n%s", what, v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

func TestAxe(t *testing.T) {
	path := os.Getenv("WEIR_AXE")
	if path == "" {
		if os.Getenv("WEIR_REQUIRE_BROWSER") == "1" {
			t.Fatal("WEIR_REQUIRE_BROWSER is set, and WEIR_AXE does not name axe.min.js")
		}
		t.Skip("WEIR_AXE does not name axe.min.js of axe-core")
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	axe := string(source) + "; true"
	p, env := provider(t)
	s := serve(t, env, "--docs", examples)
	for _, theme := range []struct {
		name string
		screen
	}{{"light", screen{still: true}}, {"dark", screen{dark: true, still: true}}, {"phone", screen{width: 360, height: 740, phone: true, still: true}}} {
		t.Run(theme.name, func(t *testing.T) {
			if err := p.Heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			d := newStand(t, s)
			w := newWriter(d)
			b := open(t, d.url, theme.screen)
			b.until("document.querySelector('#pill').dataset.level === 'ok'")
			b.axe(axe, "empty")
			b.click("summary")
			b.ask("What is the dinghy called?")
			<-w.asked
			w.events <- passages2
			w.events <- text("The dinghy is called Petrel [1] and [2].")
			b.shows("#answer-body", "Petrel")
			b.axe(axe, "answer being written")
			w.events <- done("The dinghy is called Petrel [1] and [2].", "gpt-test", true, `,"degraded":[{"stage":"embed","reason":"timeout"}]`)
			b.shows("#answer-foot", "gpt-test")
			b.click("#answer-body .cite")
			b.axe(axe, "answer")
			b.click("nav [data-view=documents]")
			b.shows(".doc", "plan-handbook.pdf")
			b.axe(axe, "documents")
			b.click(".doc button[aria-label^=Delete]")
			b.axe(axe, "delete")
			b.keys(kb.Escape)
			b.click("nav [data-view=flow]")
			b.shows("#provider", "answers")
			b.axe(axe, "flow")
			b.click("#who")
			b.axe(axe, "who")
			b.keys(kb.Escape)
			if err := p.Set(t.Context(), chaos.Status500); err != nil {
				t.Fatal(err)
			}
			b.click("nav [data-view=ask]")
			b.onlyPassages()
			b.ask("What did we say to " + theme.name + "?")
			b.shows("#banner", "embedding provider")
			b.axe(axe, "outage")
			b.click("#banner-link")
			b.shows("#flow-state", "The embedding provider")
			b.axe(axe, "outage in the flow")
			b.shot("axe-" + theme.name)
		})
	}
}

// In forced colours the bars and marks are still told from what is around.
func TestForcedColors(t *testing.T) {
	b := open(t, serve(t, nil, "--docs", examples).URL, screen{})
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"}}))
	b.onlyPassages()
	b.ask("CPAP machine")
	b.shows("#passage-1 mark", "CPAP")
	b.shot("forced-colors")
	same := eval[bool](b, `(() => { const t = document.querySelector(".track"); return getComputedStyle(t).backgroundColor === getComputedStyle(t.firstChild).backgroundColor; })()`)
	if same {
		t.Error("a bar cannot be told from its track")
	}
}
