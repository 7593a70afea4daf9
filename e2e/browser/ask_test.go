package browser

import (
	"testing"
)

const examples = "../../examples"

func TestPassages(t *testing.T) {
	s := serve(t, nil, "--docs", examples)
	b := open(t, s.URL+"/#/ask", screen{})
	b.until("document.activeElement.id === 'question'")
	b.until("document.querySelector('#pill').dataset.level === 'ok'")
	b.shot("ask-empty")
	b.onlyPassages()
	b.ask("How many hours must I use my CPAP machine before the plan buys it?")
	b.shows("#passage-1 h3", "plan-handbook.pdf")
	b.shows("#passage-1 .page", "18")
	b.shows("#passage-1 .section", "5.9 Equipment")
	b.shows("#passage-1 mark", "CPAP")
	b.until("document.querySelectorAll('#passage-list > li').length === 5")
	b.until("!document.querySelector('#ask-stop').checkVisibility()")
	b.shot("passages-light")
	b.click("#theme")
	b.click("#theme")
	b.shot("passages-dark")
	b.ask("电池可以在楼道里充电吗？")
	b.shows("#passage-1 h3", "ebike-manual-zh.md")
	b.shows("#passage-1 mark", "充电")
	b.shot("passages-zh")
	b.click("nav [data-view=documents]")
	b.shows(".doc .name", "plan-handbook.pdf")
	b.shot("documents-dark")
	b.click("#theme")
	b.click("nav [data-view=flow]")
	b.shows("#flow-state", "All is well")
	b.shot("flow-light")
}
