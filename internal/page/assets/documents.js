// The list of documents: filtered, live, each with its stage.

import { call, Failure, stream } from "./api.js";
import { $, el, say, set, show } from "./dom.js";
import * as format from "./format.js";
import { failure } from "./notice.js";

const final = (d) => d.status === "ready" || d.status === "failed" || d.status === "canceled";
const steps = ["queued", "parsing", "embedding", "ready"];

const rows = new Map(); // by id: {doc, li, parts}
const watched = new Map(); // by id: the AbortController of its stream
let next = ""; // the cursor of what is not shown yet
let looking = null; // the AbortController of the list under way
let timer = 0;
let active = false; // the view is the one shown
let busy = () => false; // whether files are being sent

export function begin(sending) {
  busy = sending;
  let typed = 0;
  $("filter").addEventListener("submit", (e) => { e.preventDefault(); reload(); });
  $("filter-name").addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(reload, 200); });
  $("filter-status").addEventListener("change", reload);
  $("more").addEventListener("click", more);
  $("sure").addEventListener("close", said);
  document.addEventListener("visibilitychange", settle);
}

// visible is called when the view is shown or left.
export function visible(yes) {
  active = yes;
  if (yes) reload();
  settle();
}

// reset forgets what is another user's.
export function reset() {
  looking?.abort();
  for (const c of watched.values()) c.abort();
  rows.clear();
  $("document-list").replaceChildren();
  if (active) reload();
}

// added shows a document that was just sent, whatever the filter.
export function added(doc) {
  if ($("filter-name").value || $("filter-status").value) {
    $("filter-name").value = $("filter-status").value = "";
  }
  put(doc, true);
  settle();
  refresh();
}

function query(extra = {}) {
  const q = new URLSearchParams({ limit: "50", ...extra });
  if ($("filter-name").value.trim()) q.set("filename", $("filter-name").value.trim());
  if ($("filter-status").value) q.set("status", $("filter-status").value);
  return `/v1/documents?${q}`;
}

const reload = () => refresh(true);

// refresh reads the first page again. anew: of another filter, so that all that
// is shown goes.
async function refresh(anew = false) {
  clearTimeout(timer);
  if (looking && !anew) return;
  looking?.abort();
  const mine = (looking = new AbortController());
  try {
    const list = await call("GET", query(), { signal: mine.signal });
    if (mine.signal.aborted) return;
    const shown = new Set(list.documents.map((d) => d.id));
    const oldest = list.documents.at(-1)?.created_at;
    for (const [id, row] of rows) {
      // Older ones, from further pages, stay; the others are gone, or of another filter.
      if (!shown.has(id) && (anew || !list.next_cursor || row.doc.created_at >= oldest)) drop(id);
    }
    for (const d of list.documents) put(d, false);
    const inOrder = [...rows.values()].sort((a, b) => (a.doc.created_at < b.doc.created_at ? 1 : a.doc.created_at > b.doc.created_at ? -1 : a.doc.id < b.doc.id ? 1 : -1));
    inOrder.forEach((row, i) => { if ($("document-list").children[i] !== row.li) $("document-list").insertBefore(row.li, $("document-list").children[i] || null); });
    if (anew || rows.size <= list.documents.length) next = list.next_cursor;
    $("list-notice").replaceChildren();
    empty();
  } catch (e) {
    if (mine.signal.aborted) return;
    if (!(e instanceof Failure)) throw e;
    $("list-notice").replaceChildren(failure(e, () => refresh()));
    empty(true);
  } finally {
    if (looking === mine) { looking = null; settle(); }
  }
}

async function more() {
  try {
    const before = $("document-list").children.length;
    const list = await call("GET", query({ cursor: next }));
    for (const d of list.documents) put(d, false);
    next = list.next_cursor;
    empty();
    $("document-list").children[before]?.querySelector("button")?.focus();
  } catch (e) {
    if (!(e instanceof Failure)) throw e;
    $("list-notice").replaceChildren(failure(e, more));
  }
}

function empty(failed = false) {
  show($("more"), Boolean(next) && !failed);
  show($("list-empty"), rows.size === 0 && !failed);
  const filtered = $("filter-name").value || $("filter-status").value;
  say($("list-empty"), filtered ? "No document is like that." : "No documents yet. Drop some files above.");
}

// settle plans the next look at the list, and which documents are watched
// closely. A tab that nobody sees holds no streams: a browser has six
// connections for all tabs together.
function settle() {
  clearTimeout(timer);
  const seen = active && !document.hidden;
  const open = [...rows.values()].map((r) => r.doc).filter((d) => !final(d));
  const inWork = open.filter((d) => d.status !== "queued");
  const close = seen ? [...inWork, ...open.filter((d) => d.status === "queued")].slice(0, busy() ? 1 : 2) : [];
  for (const [id, c] of watched) if (!close.some((d) => d.id === id)) c.abort();
  for (const d of close) if (!watched.has(d.id)) watch(d.id);
  if (seen && !looking) timer = setTimeout(refresh, open.length ? 1200 : 6000);
}

async function watch(id) {
  const mine = new AbortController();
  watched.set(id, mine);
  try {
    for await (const { name, data } of stream("GET", `/v1/documents/${encodeURIComponent(id)}/events`, { signal: mine.signal })) {
      if (name === "error") break;
      if (!mine.signal.aborted && rows.has(id)) put(data, false);
      if (name === "done") break;
    }
  } catch (e) {
    if (!mine.signal.aborted && !(e instanceof Failure)) throw e; // the list tells what is wrong
  } finally {
    watched.delete(id);
    settleSoon();
  }
}

let soon = 0;
function settleSoon() {
  clearTimeout(soon);
  soon = setTimeout(settle, 500);
}

function drop(id) {
  rows.get(id)?.li.remove();
  rows.delete(id);
  watched.get(id)?.abort();
}

function put(doc, first) {
  let row = rows.get(doc.id);
  if (row && row.doc.updated_at > doc.updated_at) return; // an older look that came late
  if (!row) {
    row = { doc, ...build(doc) };
    rows.set(doc.id, row);
    if (first) $("document-list").prepend(row.li);
    else $("document-list").append(row.li);
    show($("list-empty"), false);
  } else if (final(doc) && !final(row.doc)) {
    row.li.dataset.fresh = ""; // it was seen at work: how it went stays to be seen
    say($("documents-status"), `${doc.filename}: ${words(doc)}`);
  }
  row.doc = doc;
  draw(row);
}

function build(doc) {
  const state = el("p", { class: "status" });
  const track = el("span", { class: "track", "aria-hidden": "true" }, el("span"));
  const line = el("ol", { class: "steps", "aria-hidden": "true" }, ...steps.map((s) => el("li", { data: { step: s } })));
  const facts = el("p", { class: "hint facts-line" });
  const cancel = el("button", { type: "button", class: "small", text: "Cancel", "aria-label": `Cancel ${doc.filename}`, on: { click: () => act(doc.id, "cancel") } });
  const remove = el("button", { type: "button", class: "small", text: "Delete", "aria-label": `Delete ${doc.filename}`, on: { click: () => act(doc.id, "delete") } });
  const trouble = el("div", {});
  const li = el("li", { class: "doc", data: { id: doc.id } },
    el("div", { class: "doc-main" }, el("p", { class: "name" }, el("bdi", { text: doc.filename })), state, facts),
    el("div", { class: "doc-side" }, line, track), el("div", { class: "doc-actions" }, cancel, remove), trouble);
  return { li, parts: { state, track, line, facts, cancel, trouble } };
}

function words(d) {
  const of = (what) => (d.progress.total ? `, ${what} ${format.count(d.progress.done)} of ${format.count(d.progress.total)}` : "");
  switch (d.status) {
    case "queued": return d.waiting ? `Waits: ${d.waiting}` : "Waits for its turn";
    case "parsing": return `Being read${of("page")}`;
    case "embedding": return `Being embedded${of("passage")}`;
    case "ready": return d.warning ? `Ready, but ${d.warning}` : "Ready";
    case "failed": return `Failed: ${d.error?.message || "no reason is known"}`;
    default: return "Canceled";
  }
}

function draw({ doc: d, li, parts }) {
  li.dataset.status = d.status;
  li.dataset.waiting = String(Boolean(d.waiting) && d.status === "queued");
  li.dataset.partial = String(Boolean(d.warning) && d.status === "ready");
  say(parts.state, words(d));
  const at = steps.indexOf(d.status);
  for (const [i, s] of [...parts.line.children].entries()) s.dataset.state = at < 0 ? "off" : i < at || d.status === "ready" ? "past" : i === at ? "now" : "next";
  set(parts.track, "--share", String(d.status === "ready" ? 1 : d.progress.total ? d.progress.done / d.progress.total : 0));
  const facts = [d.pages && format.plural(d.pages, "page"), d.chunks && format.plural(d.chunks, "passage"), format.bytes(d.bytes), format.date(d.created_at)];
  say(parts.facts, facts.filter(Boolean).join(" · "));
  show(parts.cancel, !final(d));
}

let answer = () => {}; // to the question that is asked

// confirmed asks, and is true for yes.
function confirmed(doc) {
  answer(false); // who asks again has not said yes before
  $("sure-text").textContent = `“${doc.filename}” and all its passages go for good.`;
  const dialog = $("sure");
  dialog.returnValue = "no";
  dialog.showModal();
  $("sure-yes").focus();
  return new Promise((resolve) => { answer = resolve; });
}

// said is called a moment after the dialog was closed, when it may be open again
// for another question.
function said() {
  if (!$("sure").open) answer($("sure").returnValue === "yes");
}

async function act(id, what) {
  const row = rows.get(id);
  row.parts.trouble.replaceChildren();
  if (what === "delete" && !(await confirmed(row.doc))) return;
  const after = row.li.nextElementSibling || row.li.previousElementSibling;
  const path = `/v1/documents/${encodeURIComponent(id)}`;
  try {
    if (what === "cancel") {
      put(await call("POST", `${path}/cancel`), false);
      row.li.querySelector("[aria-label^=Delete]").focus();
      return;
    }
    await call("DELETE", path);
  } catch (e) {
    if (!(e instanceof Failure)) throw e;
    if (e.code !== "not_found") { row.parts.trouble.replaceChildren(failure(e)); return; }
  }
  drop(id);
  say($("documents-status"), `${row.doc.filename} was deleted.`);
  (after?.querySelector("[aria-label^=Delete]") || $("list-title")).focus();
  empty();
}
