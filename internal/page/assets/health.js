// What the server says of itself, every second, and what that means.

import { call, events, Failure } from "./api.js";
import * as format from "./format.js";

const every = 1000;
const longest = 15e3; // between two tries when nobody answers
const kept = 120; // looks
const recentMS = 10e3;
const calmMS = 3e3;

export const samples = []; // oldest first: {at, status, took}
export const log = []; // newest first: {at, level, text}
export const health = new EventTarget(); // "look" after each, "turn" when the judgement is another

let lost = 0; // when contact was lost; 0: there is contact
let refusal = null; // the Failure of a server that answers, but not this
let misses = 0;
let timer = 0;
let verdict = { level: "unknown", kind: "unknown", title: "Looking…", detail: "" };

export const current = () => verdict;

export function begin() {
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  events.addEventListener("identity", () => { refusal = null; look(); });
  addEventListener("online", look);
  look();
}

let looking = false;
async function look() {
  clearTimeout(timer);
  if (looking) return;
  looking = true;
  const began = performance.now();
  try {
    const status = await call("GET", "/v1/status", { timeout: 4000 });
    const last = samples.at(-1);
    if (last && last.status.started_at !== status.started_at) { samples.length = 0; note("ok", "The server was started anew."); }
    samples.push({ at: Date.now(), status, took: performance.now() - began });
    if (samples.length > kept) samples.shift();
    lost = misses = 0;
    refusal = null;
  } catch (e) {
    if (!(e instanceof Failure)) throw e;
    if (e.code === "no_contact") {
      misses++;
      lost ||= samples.at(-1)?.at || Date.now();
    } else {
      [refusal, misses, lost] = [e, misses + 1, 0];
    }
  } finally {
    looking = false;
  }
  turn();
  const wait = misses ? Math.min(longest, every * 2 ** Math.min(misses - 1, 6)) : every;
  // A tab that nobody sees asks nothing; it looks when it is seen again.
  if (!document.hidden) timer = setTimeout(look, wait);
}

function note(level, text) {
  log.unshift({ at: Date.now(), level, text });
  if (log.length > 50) log.pop();
}

function turn() {
  const before = verdict;
  verdict = judge({ samples, lost, refusal, now: Date.now() });
  if (before.kind !== verdict.kind) {
    if (before.kind !== "unknown" || verdict.level !== "ok") note(verdict.level, verdict.level === "ok" ? `Over: ${before.title.toLowerCase()}` : `${verdict.title}. ${verdict.detail}`);
    health.dispatchEvent(new Event("turn"));
  }
  health.dispatchEvent(new Event("look"));
}

// inFlight is how many calls there are; those of other users may be counted
// only.
export const inFlight = (s) => s.in_flight.length + Object.values(s.in_flight_of_others || {}).reduce((a, b) => a + b, 0);

// grown is how much a counter grew within the last seconds; value takes it
// from a status.
export function grown(all, value, within = recentMS) {
  const last = all.at(-1);
  if (!last) return 0;
  const from = all.find((s) => last.at - s.at <= within) || last;
  return Math.max(0, value(last.status) - value(from.status));
}

// judge is what looks mean: {level: ok, warn, down or unknown; kind: which
// trouble it is; title; detail}. The worst comes first.
export function judge({ samples: all, lost: since, refusal: no, now }) {
  const last = all.at(-1);
  if (since) return { level: "down", kind: "contact", title: `No contact with the server since ${format.time(since)}`, detail: "What is shown is from before." };
  if (no?.code === "unauthorized") return { level: "unknown", kind: "key", title: "A key is needed", detail: no.message };
  if (no?.code === "forbidden") return { level: "unknown", kind: "closed", title: "How the server is, this key may not see", detail: no.message };
  if (no?.code === "rate_limited") return { level: "warn", kind: "limited", title: "This user asks too often", detail: no.message };
  if (no) return { level: "down", kind: "refused", title: "The server does not say how it is", detail: no.message };
  if (!last) return { level: "unknown", kind: "unknown", title: "Looking…", detail: "" };
  const s = last.status;
  if (s.store_error) return { level: "down", kind: "store", title: "The store does not answer", detail: `Nothing can be found or added (${s.store_error}).` };
  if (s.draining) return { level: "warn", kind: "draining", title: "The server is stopping", detail: "It takes no new calls." };
  const troubles = [s.embedder && embedder(s), s.embedder && s.pipeline && provider(all, embedding), s.chat && provider(all, chat)].filter(Boolean);
  if (troubles.length) return troubles.find((t) => t.level === "down") || troubles[0];
  if (s.writes_error) return { level: "warn", kind: "writes", title: "Nothing can be added", detail: `Questions are answered. ${s.writes_error}` };
  const refused = grown(all, (x) => x.refused);
  if (refused > 0) return { level: "warn", kind: "full", title: "The server refuses calls", detail: `${format.plural(refused, "call")} in the last 10 s: it is full, or a user has its share.` };
  if (s.waiting > 0) return { level: "warn", kind: "waiting", title: "Calls wait for a place", detail: `${format.plural(s.waiting, "call")}; one more would wait ${format.ms(s.predicted_wait_ms)}.` };
  return { level: "ok", kind: "ok", title: "All is well", detail: now - last.at > 5000 ? "" : s.embedder ? "" : "This server has no embedder: it searches by words." };
}

// embedder is the trouble of one that answers, or of one that is not there.
function embedder(s) {
  const without = "Questions are answered by words alone until the right one is there."; // it is not gone
  const trouble = (kind, title) => ({ level: "down", kind, title, detail: without, without });
  if (s.embedder_missing) return trouble("missing", `No provider is set for the documents' model, ${s.embedder.name}`);
  if (s.embedder_error) return trouble("wrong", `${embedding.name} gives other vectors than the documents have`);
  return null;
}

// The two providers there may be: where their numbers are, and what is lost
// without them.
export const embedding = {
  name: "The embedding provider", kind: "", of: (s) => s.pipeline, underway: (p) => p.slots,
  late: (p) => p.slots > 0 && !p.warming && p.oldest_ms > (p.typical_ms ? Math.max(1000, 6 * p.typical_ms) : 2000),
  without: "Questions are answered by words alone until it is back.",
};
export const chat = {
  name: "The chat provider", kind: "chat-", of: (s) => s.chat, underway: (p) => p.writing,
  late: (p) => p.writing > 0 && p.oldest_ms > (p.typical_ms ? Math.max(15e3, 6 * p.typical_ms) : 30e3),
  without: "No answers are written until it is back, but passages are found.",
};

// failures are those of a provider in the last seconds, and how many requests
// ended in that time.
export function failures(all, which) {
  const failed = grown(all, (s) => which.of(s)?.failed || 0);
  return { failed, ended: Math.max(failed, grown(all, (s) => (which.of(s) ? which.of(s).attempts - which.underway(which.of(s)) : 0))) };
}

// recovered reports whether a provider has answered since it last failed, and has
// not failed for some looks: one that is back is not said to be down for as long
// as its failures are counted.
function recovered(all, which) {
  const of = (s) => which.of(s) || { failed: 0, attempts: 0 };
  const last = all.at(-1);
  let answered = false;
  for (let i = all.length - 1; i > 0; i--) {
    const [was, is] = [of(all[i - 1].status), of(all[i].status)];
    if (is.failed > was.failed) return answered && last.at - all[i].at >= calmMS;
    answered ||= is.attempts - which.underway(is) > was.attempts - which.underway(was);
  }
  return answered;
}

function provider(all, which) {
  const p = which.of(all.at(-1).status);
  const { failed, ended } = failures(all, which);
  const refused = grown(all, (s) => which.of(s)?.calls_refused || 0);
  const trouble = (level, kind, what, detail) => ({ level, kind: which.kind + kind, title: `${which.name} ${what}`, detail, without: which.without });
  const share = `${format.count(failed)} of ${format.plural(ended, "request")} in the last 10 s.`;
  if (p.breaker === "open" && failed + refused > 0) return trouble("down", "provider", "is down", `It is not asked for now, but for a try every few seconds while there are calls. ${which.without}`);
  if (failed > 0 && failed * 2 >= ended && !recovered(all, which)) return trouble("down", "provider", "fails", `${share} ${which.without}`);
  // It stays open until a call tries: of one that nobody tried, nothing is known.
  if (p.breaker !== "closed") return trouble("warn", "probe", "was down", "The next call finds out whether it is back.");
  if (which.late(p)) return trouble("warn", "silent", "does not answer", `A request has been under way for ${format.ms(p.oldest_ms)}. ${which.without}`);
  if (p.pause_ms > 0) return trouble("warn", "pause", "asks for a pause", `${format.ms(p.pause_ms)} are left. ${which.without}`);
  if (failed > 0) return trouble("warn", "some", "fails now and then", share);
  return null;
}
