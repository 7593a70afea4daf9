// The page as a whole: views, banner, identity, theme.

import { events as api, identity } from "./api.js";
import * as ask from "./ask.js";
import * as documents from "./documents.js";
import { $, say, show } from "./dom.js";
import * as flow from "./flow.js";
import * as health from "./health.js";
import * as uploads from "./uploads.js";

const views = { ask: "Ask", documents: "Documents", flow: "Flow" };
let view = "";

function go(focus) {
  const wanted = location.hash.slice(2); // not an id: the browser would take the focus there
  if (location.hash === "#main") return; // the skip link
  const next = views[wanted] ? wanted : "ask";
  if (next === view) return;
  view = next;
  for (const name of Object.keys(views)) {
    show($(name), name === view);
    const link = document.querySelector(`nav [data-view=${name}]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${views[view]} · Weir`;
  documents.visible(view === "documents");
  flow.visible(view === "flow");
  if (view === "ask") $("question").focus();
  else if (focus) $(`${view}-title`).focus();
  scrollTo(0, 0);
}

const pills = {
  contact: "no contact", key: "key needed", store: "store down", provider: "provider down", silent: "provider silent",
  missing: "no provider", wrong: "wrong provider", writes: "read only", some: "unsteady", pause: "provider pauses", probe: "provider unsure", "chat-provider": "chat down", closed: "not shown", limited: "too often", full: "full", waiting: "busy", draining: "stopping",
};

function banner() {
  const v = health.current();
  $("pill").dataset.level = v.level;
  say($("pill-text"), pills[v.kind] || pills[v.kind.replace("chat-", "")] || { ok: "all well", warn: "strained", down: "trouble", unknown: "looking…" }[v.level]);
  const shown = v.level === "down" || (v.level === "warn" && v.kind !== "waiting");
  $("banner").dataset.level = v.level;
  if (shown) {
    // An alert is read when it changes: the title alone decides that, so that
    // counting numbers are not read every second.
    say($("banner-title"), `${v.title}.`);
    if ($("banner").hidden || v.kind !== $("banner").dataset.kind || v.without) say($("banner-detail"), steady(v));
  }
  $("banner").dataset.kind = shown ? v.kind : "";
  show($("banner-link"), view !== "flow");
  show($("banner"), shown);
  const s = health.samples.at(-1)?.status;
  if (!s) return;
  uploads.setLimit(s.max_file_bytes);
  say($("ask-kind"), ` · searched ${s.default_mode === "lexical" ? "by words" : "by words and meaning"}`);
}

// steady is a detail without the numbers that change from second to second.
function steady(v) {
  return v.without && v.level === "down" ? v.without : v.detail;
}

function who() {
  say($("who-name"), identity.user || (identity.key ? "by key" : "default"));
}

function askWho(why) {
  const dialog = $("who-dialog");
  if (dialog.open) return;
  $("who-user").value = identity.user;
  $("who-key").value = identity.key;
  say($("who-error"), why || "");
  show($("who-error"), Boolean(why));
  dialog.returnValue = "cancel";
  dialog.showModal();
  (why ? $("who-key") : $("who-user")).focus();
}

function beginIdentity() {
  let declined = false; // who said no is not asked again every second
  $("who").addEventListener("click", () => askWho(""));
  $("who-dialog").addEventListener("close", () => {
    if ($("who-dialog").returnValue !== "save") { declined = true; return; }
    declined = false;
    identity.set($("who-user").value.trim(), $("who-key").value.trim());
  });
  api.addEventListener("unauthorized", (e) => { if (!declined) askWho(identity.key ? `The server does not take this key: ${e.detail.message}` : "This server asks for a key."); });
  api.addEventListener("identity", () => { who(); ask.reset(); uploads.stopAll(); documents.reset(); });
}

function beginTheme() {
  const names = { "": "as the system", light: "light", dark: "dark" };
  let theme = localStorage.getItem("weir.theme") || "";
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    say($("theme-name"), `Theme: ${names[theme]}`);
    $("theme").title = `Theme: ${names[theme]}`;
  };
  $("theme").addEventListener("click", () => {
    const all = Object.keys(names);
    theme = all[(all.indexOf(theme) + 1) % all.length];
    localStorage.setItem("weir.theme", theme);
    apply();
  });
  if (!(theme in names)) theme = "";
  apply();
}

beginTheme();
beginIdentity();
who();
ask.begin();
uploads.begin(documents.added, () => { location.hash = "/documents"; });
documents.begin(uploads.underway);
flow.begin();
health.health.addEventListener("look", banner);
addEventListener("hashchange", () => { go(true); banner(); });
go(false);
health.begin();
