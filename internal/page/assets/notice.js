// What went wrong, or did not wholly go right, said plainly.

import { el } from "./dom.js";
import * as format from "./format.js";

const titles = {
  no_contact: "No contact with the server",
  invalid: "The server did not take this",
  unauthorized: "A key is needed",
  forbidden: "This is not allowed",
  not_found: "Not found",
  conflict: "Not possible any more",
  too_large: "Too large",
  unsupported_media: "This kind of file is not read",
  rate_limited: "Too many calls of this user at once",
  overloaded: "The server is full",
  unavailable: "Something the server needs does not work",
  timeout: "No answer by the deadline",
  internal: "The server failed",
};

const stages = { embed: "Search by meaning", search: "The search", answer: "The answer" };

const lacks = {
  no_chat_model: "No answer was written",
  empty: "No answer was written",
  uncited: "The answer names no passage",
  citations_dropped: "A citation was taken out",
  length: "The answer was cut short",
  content_filter: "The answer was cut short",
};

export function again(ms) {
  return ms > 0 ? ` Try again in ${format.ms(ms)}.` : "";
}

const sentence = (s) => (s && !/[.!?]$/.test(s) ? s + "." : s || "");
const begin = (s) => s.charAt(0).toUpperCase() + s.slice(1);

export function notice(level, title, text, ...more) {
  return el("div", { class: "notice", data: { level } }, el("strong", { text: `${title}.` }), " ", text, ...more);
}

// failure is a Failure as a notice. Nobody may take it for "nothing found".
export function failure(f, retry) {
  const soft = f.code === "rate_limited" || f.code === "overloaded" || f.code === "invalid" || f.code === "conflict";
  const n = notice(soft ? "warn" : "down", titles[f.code] || "The server failed", begin(sentence(f.message)) + again(f.retryAfter));
  n.dataset.code = f.code;
  if (retry) n.append(" ", el("button", { type: "button", class: "small", text: "Try again", on: { click: retry } }));
  if (f.operation) n.append(" ", el("span", { class: "op", text: `operation ${f.operation}` }));
  return n;
}

// degraded is one entry of "degraded" as a notice.
export function degraded(d) {
  const known = d.stage === "answer" ? lacks[d.reason] || "No answer was written" : `${stages[d.stage] || d.stage} did not do its part`;
  const mild = d.reason === "no_chat_model" || d.reason === "no_embedder" || d.reason === "uncited" || d.reason === "citations_dropped" || d.reason === "history_cut";
  const words = sentence(d.message || d.reason.replaceAll("_", " "));
  const instead = d.stage === "embed" && d.reason !== "no_embedder" ? " The passages were found by words alone." : "";
  const n = notice(mild ? "info" : "warn", known, begin(words) + instead + again(d.retry_after_ms));
  n.dataset.code = `${d.stage}/${d.reason}`;
  return n;
}

export const reasons = {
  no_documents: ["There are no documents yet", "Add some, and ask again."],
  still_indexing: ["Your documents are still being read", "None can be searched yet. Ask again in a moment."],
  below_threshold: ["Nothing similar enough", "Passages were found, all less similar than the model's threshold. Try other words."],
  no_match: ["Nothing found", "No passage of your documents matches this question."],
  budget: ["The best passage is too long", "It alone is longer than the token budget."],
};
