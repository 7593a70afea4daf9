// The passages of an answer: ranked, with how similar they are, where they
// stand, and the words of the question marked.

import { $, el, set } from "./dom.js";
import * as format from "./format.js";
import { best, marks, terms } from "./words.js";

const shortLength = 420;

// show fills the list. Passage n has the id "passage-n".
export function show(chunks, question, mode) {
  const wanted = terms(question);
  const top = Math.max(...chunks.map((c) => c.score), 0);
  $("passage-list").replaceChildren(...chunks.map((c, i) => card(c, i + 1, wanted, top, mode)));
}

function card(c, n, wanted, top, mode) {
  const body = el("div", { class: "content", id: `passage-${n}-text` });
  const found = marks(c.content, wanted);
  const [from, to] = best(c.content, found, shortLength);
  const whole = from === 0 && to === c.content.length;
  const place = format.pages(c.page_start, c.page_end);
  const li = el("li", { class: "card passage", id: `passage-${n}`, tabindex: "-1", "aria-labelledby": `passage-${n}-name`, data: { open: String(whole) } });
  const toggle = whole ? null : el("button", {
    type: "button", class: "small more", "aria-controls": body.id, "aria-expanded": "false", text: "Whole passage",
    on: { click: () => open(li, li.dataset.open !== "true") },
  });
  li.append(
    el("div", { class: "passage-head" },
      el("span", { class: "rank", "aria-hidden": "true", text: String(n) }),
      el("div", { class: "where" },
        el("h3", { id: `passage-${n}-name` }, el("span", { class: "sr", text: `Passage ${n}: ` }), el("bdi", { text: c.filename })),
        c.section_title ? el("p", { class: "section" }, el("bdi", { text: c.section_title.replaceAll(" > ", " › ") })) : null),
      place ? el("p", { class: "page" }, el("span", { text: place.split(" ")[0] }), " ", el("b", { text: place.split(" ")[1] })) : null),
    bar(c, top, mode), body, toggle ? el("p", { class: "toggle" }, toggle) : "");
  li.fill = (all) => fill(body, c.content, found, all ? 0 : from, all ? c.content.length : to);
  li.toggle = toggle;
  li.fill(whole);
  return li;
}

// bar is how similar a passage is. A passage without a similarity has been
// found by its words: its bar is its score beside the best of this answer.
function bar(c, top, mode) {
  if (!c.primary) return el("p", { class: "measure" }, el("span", { class: "hint", text: "neighbour of a passage that was found" }));
  const has = c.similarity !== null;
  const share = has ? Math.max(0, Math.min(1, c.similarity)) : top > 0 ? c.score / top : 0;
  const label = has ? `similarity ${c.similarity.toFixed(2)}` : "found by words";
  const track = el("span", { class: "track", data: { kind: has ? "meaning" : "words" }, "aria-hidden": "true" }, el("span"));
  set(track, "--share", String(share));
  return el("p", { class: "measure" }, track, el("span", { class: "figure", text: label }),
    el("span", { class: "figure faint", text: `score ${c.score >= 10 ? c.score.toFixed(1) : c.score.toFixed(2)}`, title: mode === "lexical" ? "BM25" : mode === "vector" ? "cosine" : "words and meaning joined" }));
}

function fill(body, text, found, from, to) {
  const out = document.createDocumentFragment();
  let at = from;
  if (from > 0) out.append("… ");
  for (const [start, end] of found) {
    if (start < from || end > to) continue;
    out.append(text.slice(at, start), el("mark", { text: text.slice(start, end) }));
    at = end;
  }
  out.append(text.slice(at, to));
  if (to < text.length) out.append(" …");
  body.replaceChildren(out);
}

function open(li, yes) {
  li.dataset.open = String(yes);
  li.fill(yes);
  if (li.toggle) {
    li.toggle.setAttribute("aria-expanded", String(yes));
    li.toggle.textContent = yes ? "Less" : "Whole passage";
  }
}

// reveal opens passage n and takes the reader there.
export function reveal(n) {
  const li = $(`passage-${n}`);
  if (!li) return;
  open(li, true);
  for (const other of document.querySelectorAll(".passage.cited")) other.classList.remove("cited");
  li.classList.add("cited");
  li.focus({ preventScroll: true });
  li.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
