// The live view: where calls are, what the provider does, what was refused.

import { $, el, say, set, show } from "./dom.js";
import * as format from "./format.js";
import { chat, current, embedding, failures, grown, health, inFlight, log, samples } from "./health.js";
import { spark } from "./spark.js";

const order = ["queue", "embed", "search", "answer", "store"];
const names = {
  queue: ["Waiting", "for a place"], embed: ["Embedding", "the question's vector"], search: ["Searching", "words and vectors"],
  answer: ["Answering", "the chat model writes"], store: ["Library", "reads and changes"],
};
const mostCalls = 25;
let active = false;

export function begin() {
  health.addEventListener("look", () => { if (active) draw(); });
  for (const s of [...order, "documents"]) $("stages").append(stage(s));
  for (const [id, name] of [["inflight", "In flight"], ["latency", "Time to answer"], ["refused", "Refused"], ["failed", "Provider failures"]]) {
    $("tiles").append(el("li", { class: "card tile", id: `tile-${id}` }, el("h3", { text: name }), el("p", { class: "big" }), el("div", { class: "spark-place" }), el("p", { class: "hint" })));
  }
}

export function visible(yes) {
  active = yes;
  if (yes) draw();
}

function stage(name) {
  const [title, text] = names[name] || (name === "documents" ? ["Documents", "in work"] : [name, ""]);
  return el("li", { class: "stage", data: { stage: name } },
    el("span", { class: "stage-name", text: title }), el("b", { class: "stage-count", text: "–" }), el("span", { class: "hint", text }),
    el("span", { class: "track", "aria-hidden": "true" }, el("span")));
}

function draw() {
  const v = current();
  const p = $("flow-state");
  p.dataset.level = v.level;
  if (p.dataset.said !== v.title + v.detail) {
    p.dataset.said = v.title + v.detail;
    p.replaceChildren(el("span", { class: "dot", "aria-hidden": "true" }), el("strong", { text: v.title }), " ", v.detail);
  }
  events();
  const last = samples.at(-1);
  $("flow").classList.toggle("stale", v.kind === "contact" || v.kind === "key" || v.kind === "refused" || v.kind === "closed");
  if (!last) return;
  stages(last.status);
  tiles(last.status);
  facts($("provider"), providerFacts(last.status));
  show($("chat-card"), Boolean(last.status.chat));
  if (last.status.chat) facts($("chat"), chatFacts(last.status));
  facts($("server"), serverFacts(last));
  calls(last.status);
}

function stages(s) {
  const n = new Map(order.map((name) => [name, 0]));
  for (const c of s.in_flight) n.set(c.stage, (n.get(c.stage) || 0) + 1);
  for (const [name, others] of Object.entries(s.in_flight_of_others || {})) n.set(name, (n.get(name) || 0) + others);
  n.set("documents", s.documents_in_work);
  for (const [name, count] of n) {
    let li = [...$("stages").children].find((x) => x.dataset.stage === name);
    if (!li) $("stages").append((li = stage(name)));
    say(li.querySelector("b"), format.count(count));
    li.dataset.busy = String(count > 0);
    set(li.querySelector(".track"), "--share", String(name === "documents" ? Math.min(1, count / 4) : count / Math.max(1, inFlight(s))));
    if (name === "documents") say(li.querySelector(".hint"), `in work; ${format.count(s.documents_queued)} queued`);
  }
}

const asked = (s) => (s.recent || []).filter((r) => r.operation === "retrieve" || r.operation === "ask" || r.operation === "embed").sort((a, b) => b.calls - a.calls)[0];

// deltas are how much a counter grew from each look to the next.
const deltas = (value) => samples.map((s, i) => (i ? Math.max(0, value(s.status) - value(samples[i - 1].status)) : 0));

function tiles(s) {
  tile("inflight", format.count(inFlight(s)), samples.map((x) => inFlight(x.status)), `of ${format.count(s.max_in_flight)} places; ${s.waiting ? `${format.count(s.waiting)} wait` : "nobody waits"}`, s.waiting > 0);
  const r = asked(s);
  tile("latency", r ? format.ms(r.p95_ms) : "–", samples.map((x) => asked(x.status)?.p95_ms ?? null), r ? `95 % of ${format.plural(r.calls, r.operation === "ask" ? "answer" : r.operation === "embed" ? "embedding" : "retrieval")} in the last minute; half in ${format.ms(r.p50_ms)}` : "no questions in the last minute", false);
  const refused = grown(samples, (x) => x.refused);
  tile("refused", format.count(refused), deltas((x) => x.refused), `in the last 10 s; ${format.count(s.refused)} since the start`, refused > 0);
  const failed = failures(samples, embedding).failed + failures(samples, chat).failed;
  const ever = (x) => (x.pipeline?.failed || 0) + (x.chat?.failed || 0);
  const asks = s.pipeline || s.chat;
  tile("failed", asks ? format.count(failed) : "none", deltas(ever), asks ? `in the last 10 s; ${format.count(ever(s))} since the start` : "no provider: nothing leaves this server", failed > 0);
}

function tile(id, big, values, hint, bad) {
  const li = $(`tile-${id}`);
  li.dataset.bad = String(bad);
  say(li.querySelector(".big"), big);
  say(li.querySelector(".hint"), hint);
  li.querySelector(".spark-place").replaceChildren(spark(values));
}

function state(which, p) {
  const fails = failures(samples, which).failed > 0;
  const text = { closed: fails ? "fails" : which.late(p) ? "silent" : "answers", open: "down: not asked for now", "half-open": "was down: tried with the next call" }[p.breaker] || p.breaker;
  return ["State", text, text !== "answers"];
}

function chatFacts(s) {
  const p = s.chat;
  return [
    ["Model", p.model], state(chat, p),
    ["Answers being written", `${format.count(p.writing)} of ${format.count(p.limit)}`],
    ["Oldest of these", p.writing ? format.ms(p.oldest_ms) : "–", chat.late(p)],
    ["First word after", p.first_token_ms ? `${format.ms(p.first_token_ms)}, typically` : "–"],
    ["Calls that wait", format.count(p.waiting)],
    ["Requests", `${format.count(p.attempts)}, failed ${format.count(p.failed)}, tried again ${format.count(p.retries)}`],
  ];
}

function providerFacts(s) {
  const p = s.pipeline;
  if (!s.embedder) return [["Model", "none: by words alone"]];
  const model = ["Model", `${s.embedder.name}, ${format.count(s.embedder.dimensions || 0)} dimensions`];
  if (!p) return [model, ["Provider", "inside this program"]];
  return [
    model,
    s.embedder_error ? ["State", "gives other vectors than the documents have", true] : state(embedding, p),
    ["Requests under way", `${format.count(p.slots)} of ${format.count(p.limit)}${p.limit < p.max_slots ? ` (at most ${format.count(p.max_slots)})` : ""}`],
    ["Oldest of these", p.slots ? format.ms(p.oldest_ms) : "–", embedding.late(p)],
    ["A request takes", p.typical_ms ? `${format.ms(p.typical_ms)}, typically` : "–"],
    ["Texts that wait", `${format.count(p.queued)} of questions, ${format.count(p.queued_ingest)} of documents`],
    ["Pause it asked for", p.pause_ms > 0 ? format.ms(p.pause_ms) : "none", p.pause_ms > 0],
    ["Requests", `${format.count(p.attempts)}, failed ${format.count(p.failed)}, tried again ${format.count(p.retries)}`],
    ["Calls refused", format.count(p.calls_refused)],
    ["Went out of order", format.plural(p.breaker_opens, "time")],
    ["From the cache", p.cache_hits + p.cache_misses ? `${Math.round((100 * p.cache_hits) / (p.cache_hits + p.cache_misses))} % of texts` : "–"],
  ];
}

function serverFacts({ status: s, took }) {
  const lane = (l) => (l ? `${format.count(l.now)} of ${format.count(l.max)}` : "–");
  return [
    ["Version", s.version], ["Up for", format.ms(s.uptime_ms)], ["Answers this page in", format.ms(took)],
    ["Requests at the door", lane(s.requests)], ...(s.answers ? [["Answers being written", lane(s.answers)]] : []), ["Uploads", lane(s.uploads)], ["Open streams", lane(s.streams)],
    ["Memory for calls", `${format.bytes(s.bytes)} of ${format.bytes(s.max_bytes)}`],
    ["Deadline of a call", format.ms(s.timeout_ms)],
    ["Calls past their deadline", format.count(s.deadline_overruns), s.deadline_overruns > 0],
    ["Store", s.store_error ? `does not answer (${s.store_error})` : s.writes_error ? `answers, takes nothing new: ${s.writes_error}` : "answers", Boolean(s.store_error || s.writes_error)],
    ...(s.move?.running ? [["Move to another model", `${format.count(s.move.progress.done)} of ${format.count(s.move.progress.total)}`]] : []),
  ];
}

function facts(dl, list) {
  if (dl.children.length !== list.length) dl.replaceChildren(...list.map(() => el("div", {}, el("dt"), el("dd"))));
  for (const [i, [name, value, bad]] of list.entries()) {
    say(dl.children[i].children[0], name);
    say(dl.children[i].children[1], String(value));
    dl.children[i].dataset.bad = String(Boolean(bad));
  }
}

function calls(s) {
  const list = s.in_flight.slice(0, mostCalls);
  $("calls").replaceChildren(...list.map((c) => {
    const share = Math.min(1, c.age_ms / Math.max(1, c.age_ms + c.left_ms));
    const track = el("span", { class: "track", data: { kind: share > 0.8 ? "late" : "time" }, "aria-hidden": "true" }, el("span"));
    set(track, "--share", String(share));
    return el("tr", { title: `operation ${c.operation_id}` }, el("td", { text: c.operation }), el("td", { text: c.stage }), el("td", { class: "num", text: format.ms(c.age_ms) }),
      el("td", {}, track, el("span", { class: "sr", text: `${Math.round(share * 100)} percent` })));
  }));
  const more = s.in_flight.length - list.length;
  const others = inFlight(s) - s.in_flight.length;
  const foot = [s.in_flight.length === 0 && (others ? "None of yours." : "None at this moment."), more > 0 && `And ${format.plural(more, "call")} more, younger than these.`, others > 0 && `And ${format.count(others)} of other users.`];
  say($("calls-foot"), foot.filter(Boolean).join(" "));
}

let drawn = "";
function events() {
  const stamp = `${log.length} ${log[0]?.at}`;
  if (stamp === drawn) return;
  drawn = stamp;
  const list = log.map((e) => el("li", { data: { level: e.level } }, el("time", { text: format.time(e.at) }), el("span", { class: "dot", "aria-hidden": "true" }), el("span", { text: e.text })));
  $("events").replaceChildren(...(list.length ? list : [el("li", { class: "hint", text: "Nothing out of the ordinary since this page was opened." })]));
}
