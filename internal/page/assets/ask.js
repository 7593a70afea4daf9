// The view in which questions are asked.

import { call, Failure, stream } from "./api.js";
import { $, el, say, show } from "./dom.js";
import * as format from "./format.js";
import { render } from "./markdown.js";
import { degraded, failure, notice, reasons } from "./notice.js";
import * as passages from "./passages.js";

let running = null; // the AbortController of the question under way
let chunks = [];
let written = "";
let drawing = 0;

export function begin() {
  const box = $("question");
  $("ask-form").addEventListener("submit", (e) => { e.preventDefault(); ask(); });
  $("ask-stop").addEventListener("click", stop);
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); ask(); }
  });
  $("ask").addEventListener("keydown", (e) => { if (e.key === "Escape" && running) stop(); });
}

// reset forgets an answer: it was another user's.
export function reset() {
  running?.abort();
  clear();
  show($("ask-empty"), true);
}

function grow() {
  const box = $("question");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 240)}px`;
}

function stop() {
  running?.abort();
  $("question").focus();
}

function clear() {
  cancelAnimationFrame(drawing);
  drawing = 0;
  chunks = [];
  written = "";
  $("notices").replaceChildren();
  $("answer-body").replaceChildren();
  $("passage-list").replaceChildren();
  say($("answer-foot"), "");
  say($("passages-foot"), "");
  for (const id of ["results", "answer", "passages", "ask-empty"]) show($(id), false);
  $("results").classList.remove("both");
}

const tell = (text) => say($("ask-status"), text);

function options() {
  const o = {};
  if ($("mode").value) o.mode = $("mode").value;
  if ($("max-chunks").value) o.max_chunks = Number($("max-chunks").value);
  if (Number($("neighbors").value)) o.neighbors = Number($("neighbors").value);
  return o;
}

async function ask() {
  const query = $("question").value.trim();
  if (!query) { $("question").focus(); return; }
  running?.abort();
  const mine = (running = new AbortController());
  clear();
  busy(true);
  show($("ask-wait"), true);
  tell("Searching.");
  try {
    if ($("write").checked) await answer(query, mine.signal);
    else {
      const found = await call("POST", "/v1/retrieve", { body: { query, ...options() }, signal: mine.signal, timeout: 60e3 });
      if (mine.signal.aborted) return;
      showPassages(found, query);
      tell(found.chunks.length ? `${format.plural(found.chunks.length, "passage")}.` : "Nothing to show; the reason is on the page.");
    }
  } catch (e) {
    if (running !== mine) return; // another question was asked
    if (mine.signal.aborted) stopped();
    else if (e instanceof Failure) broken(e);
    else throw e;
  } finally {
    if (running === mine) { running = null; busy(false); }
  }
}

function busy(yes) {
  $("ask").setAttribute("aria-busy", String(yes));
  $("ask-form").classList.toggle("busy", yes);
  show($("ask-stop"), yes);
  if (!yes) show($("ask-wait"), false);
}

async function answer(query, signal) {
  let whole = false;
  for await (const { name, data } of stream("POST", "/v1/ask", { body: { query, ...options() }, signal })) {
    if (signal.aborted) break;
    if (name === "passages") {
      showPassages(data, query);
      tell(data.chunks.length ? `${format.plural(data.chunks.length, "passage")} found. The answer is being written.` : "No passages.");
      if (data.chunks.length) write("");
    } else if (name === "text") {
      if (!data.notice) write(data.text);
    } else if (name === "done") {
      whole = true;
      done(data);
    } else if (name === "error") {
      throw new Failure(data);
    }
  }
  if (signal.aborted) throw new DOMException("stopped", "AbortError");
  if (!whole) throw new Failure({ code: "no_contact", detail: "The connection broke before the answer was whole." });
}

// write adds a piece of the answer; it is drawn with the next frame, however
// many pieces come before that.
function write(piece) {
  written += piece;
  show($("results"), true);
  show($("answer"), true);
  $("results").classList.add("both");
  $("answer").dataset.state = "writing";
  if (!drawing) drawing = requestAnimationFrame(draw);
}

function draw() {
  drawing = 0;
  // A citation that is not all there yet waits for its end.
  const writing = $("answer").dataset.state === "writing";
  const text = writing ? written.replace(/\[\d{0,3}$/, "") : written;
  render($("answer-body"), text, cite);
  if (writing && !text) $("answer-body").append(el("p", { class: "waiting", text: "Reading the passages…" }));
}

function cite(n) {
  const c = chunks[n - 1];
  if (!c) return document.createTextNode(`[${n}]`);
  const place = [c.filename, format.pages(c.page_start, c.page_end)].filter(Boolean).join(", ");
  return el("button", { type: "button", class: "cite", text: String(n), title: place, "aria-label": `Passage ${n}: ${place}`, on: { click: () => passages.reveal(n) } });
}

// lacking says what did not do its part, each once: the passages say it first,
// and the whole answer again.
function lacking(list) {
  for (const d of list || []) {
    const n = degraded(d);
    if (![...$("notices").children].some((other) => other.dataset.code === n.dataset.code)) $("notices").append(n);
  }
}

function showPassages(found, query) {
  show($("ask-wait"), false);
  chunks = found.chunks || [];
  lacking(found.degraded);
  if (!chunks.length) {
    const [title, text] = reasons[found.empty_reason] || reasons.no_match;
    // What was searched by half has not found nothing.
    const half = (found.degraded || []).some((d) => d.stage !== "answer" && d.reason !== "no_embedder");
    const n = notice(half ? "warn" : "info", half ? "Nothing found by the part of the search that works" : title, half ? "Search by meaning is out of order; ask again when it is back." : text);
    n.dataset.code = found.empty_reason || "no_match";
    if (found.empty_reason === "no_documents") n.append(" ", el("a", { href: "#/documents", text: "Add documents" }));
    $("notices").append(n);
    return;
  }
  passages.show(chunks, query, found.mode);
  const how = { hybrid: "by words and meaning", vector: "by meaning", lexical: "by words" }[found.mode] || found.mode;
  say($("passages-foot"), `${how}, ${format.ms(found.timings_ms.total)}${found.truncated ? "; more did not fit the budget" : ""}`);
  show($("results"), true);
  show($("passages"), true);
}

function done(a) {
  lacking(a.degraded);
  if (!a.model) { // nobody wrote: the passages are the answer
    show($("answer"), false);
    $("results").classList.remove("both");
    tell(a.passages.length ? `No answer was written. ${format.plural(a.passages.length, "passage")}.` : "Nothing to show; the reason is on the page.");
    return;
  }
  written = a.answer;
  const short = (a.degraded || []).some((d) => d.stage === "answer" && (d.reason === "length" || d.reason === "content_filter"));
  $("answer").dataset.state = !a.answered ? "unanswered" : short ? "short" : "whole";
  draw();
  const parts = [a.model, a.timings_ms.first_token && `first word after ${format.ms(a.timings_ms.first_token)}`, format.ms(a.timings_ms.total)];
  if (!a.answered) $("notices").append(notice("info", "Not answered by your documents", "The passages below are the nearest there are."));
  say($("answer-foot"), parts.filter(Boolean).join(" · "));
  if (!a.answered) tell("Your documents do not answer this.");
  else tell(`The answer ${short ? "was cut short" : "is complete"}, with ${format.plural(a.citations.length, "citation")}.`);
}

function stopped() {
  cut("You stopped this answer. It is not whole.");
  $("notices").append(notice("info", "Stopped", written ? "The answer is not whole." : "Nothing more is being done for this question."));
  tell("Stopped.");
}

function broken(f) {
  cut("This answer broke off. It is not whole.");
  $("notices").append(failure(f, ask));
  tell(`Failed: ${f.message}`);
}

function cut(why) {
  if ($("answer").hidden) return;
  if (!written) { show($("answer"), false); $("results").classList.remove("both"); return; }
  $("answer").dataset.state = "broken";
  draw();
  say($("answer-foot"), why);
}
