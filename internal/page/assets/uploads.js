// Files on their way to the server: chosen, or dropped anywhere on the page.

import { Failure, upload } from "./api.js";
import { $, el, say, set, show } from "./dom.js";
import * as format from "./format.js";

const sideBySide = 2; // as many as the server takes of one user
const tries = 6; // of a file that the server has no room for just now
const waiting = [];
let sending = 0;
let limit = 0; // bytes of a file; 0: not known yet
let arrived = () => {};

export const underway = () => sending > 0;

// begin takes what is to be called with each document that has arrived, and
// what is to be called when files were dropped on another view.
export function begin(onDocument, onFiles) {
  arrived = onDocument;
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => { add([...$("files").files].map((file) => ({ file, name: file.name }))); $("files").value = ""; });
  $("uploads-clear").addEventListener("click", () => { for (const li of [...$("upload-list").children]) if (li.dataset.over) li.remove(); tidy(); $("choose").focus(); });
  let depth = 0; // dragenter comes for each element that is passed over
  const files = (e) => e.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (e) => { if (files(e)) { depth++; show($("veil"), true); } });
  addEventListener("dragleave", (e) => { if (files(e) && --depth <= 0) { depth = 0; show($("veil"), false); } });
  addEventListener("dragover", (e) => { if (files(e)) e.preventDefault(); });
  addEventListener("drop", async (e) => {
    if (!files(e)) return;
    e.preventDefault(); // else the browser leaves the page for the file
    depth = 0;
    show($("veil"), false);
    // The list of items is gone after the first wait.
    const entries = [...e.dataTransfer.items].filter((i) => i.kind === "file").map((i) => i.webkitGetAsEntry?.() || i.getAsFile());
    onFiles();
    const found = [];
    for (const entry of entries) await collect(entry, found);
    add(found);
  });
}

// setLimit tells how large a file may be.
export function setLimit(n) {
  limit = n;
  say($("size-limit"), `, up to ${format.bytes(n)} each`);
}

// stopAll is for when the user becomes another.
export function stopAll() {
  waiting.length = 0;
  for (const li of [...$("upload-list").children]) { li.stop?.(); li.remove(); }
  tidy();
}

async function collect(entry, found) {
  if (!entry) return;
  if (entry instanceof File) { found.push({ file: entry, name: entry.name }); return; }
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) found.push({ file, name: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader(); // gives a part of the folder at a time
  for (;;) {
    const part = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!part.length) return;
    for (const inside of part) await collect(inside, found);
  }
}

function add(files) {
  for (const f of files) row(f);
  if (files.length) say($("documents-status"), `${format.plural(files.length, "file")} to send.`);
  tidy();
  pump();
}

function row(f) {
  const state = el("p", { class: "status", text: "Waits to be sent" });
  const track = el("span", { class: "track", "aria-hidden": "true" }, el("span"));
  const button = el("button", { type: "button", class: "small", text: "Stop", "aria-label": `Stop sending ${f.name}` });
  const li = el("li", { class: "doc", data: { status: "sending" } },
    el("div", { class: "doc-main" }, el("p", { class: "name" }, el("bdi", { text: f.name })), state),
    el("div", { class: "doc-side" }, track), el("div", { class: "doc-actions" }, button));
  const stop = new AbortController();
  const job = { ...f, li, state, track, button, stop };
  li.stop = () => stop.abort();
  button.addEventListener("click", () => {
    if (li.dataset.over) { li.remove(); tidy(); $("choose").focus(); return; }
    stop.abort();
    const i = waiting.indexOf(job);
    if (i >= 0) { waiting.splice(i, 1); over(job, "canceled", "Stopped"); }
  });
  $("upload-list").append(li);
  if (limit && f.file.size > limit) over(job, "failed", `Too large: ${format.bytes(f.file.size)}, and the limit is ${format.bytes(limit)}`);
  else waiting.push(job);
}

function over(job, status, text) {
  job.li.dataset.status = status;
  job.li.dataset.over = "1";
  say(job.state, text);
  job.button.textContent = "Dismiss";
  job.button.setAttribute("aria-label", `Dismiss ${job.name}`);
  say($("documents-status"), `${job.name}: ${text}`);
  tidy();
}

function tidy() {
  show($("uploads"), $("upload-list").children.length > 0);
  show($("uploads-clear"), [...$("upload-list").children].some((li) => li.dataset.over));
}

function pump() {
  while (sending < sideBySide && waiting.length) {
    sending++;
    send(waiting.shift()).finally(() => { sending--; pump(); });
  }
}

async function send(job) {
  for (let n = 1; ; n++) {
    try {
      const { status, document: doc } = await upload(job.file, job.name, {
        replace: $("replace").checked, signal: job.stop.signal,
        progress: (share) => {
          set(job.track, "--share", String(share));
          say(job.state, share < 1 ? `Being sent, ${Math.floor(share * 100)} %` : "Being stored");
        },
      });
      if (status === 200 && doc.filename !== job.name) over(job, "ready", `There already, as “${doc.filename}”`);
      else if (status === 200) over(job, "ready", "There already, unchanged");
      else { job.li.remove(); tidy(); }
      arrived(doc);
      return;
    } catch (e) {
      if (job.stop.signal.aborted) { over(job, "canceled", "Stopped"); return; }
      if (!(e instanceof Failure)) { over(job, "failed", "The file cannot be read"); throw e; }
      const full = e.code === "overloaded" || e.code === "rate_limited";
      if (!full || n === tries) { over(job, "failed", `Not stored: ${e.message}`); return; }
      say(job.state, `The server has no room just now; tried again in ${format.ms(e.retryAfter || 1000)}`);
      if (!(await pause(Math.min(e.retryAfter || 1000, 30e3), job.stop.signal))) { over(job, "canceled", "Stopped"); return; }
    }
  }
}

// pause reports whether the time passed; false: the signal came first.
function pause(ms, signal) {
  return new Promise((resolve) => {
    const t = setTimeout(() => resolve(true), ms);
    signal.addEventListener("abort", () => { clearTimeout(t); resolve(false); }, { once: true });
  });
}
