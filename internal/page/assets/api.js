// The server's API: JSON, problems and streams, all with the identity of this tab.

// Failure is anything that went wrong, in the words of docs/API.md; code
// "no_contact" is the page's own.
export class Failure extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "The server answered with an error.");
    this.code = problem.code || "internal";
    this.status = problem.status || 0;
    this.phase = problem.phase || "";
    this.retryAfter = problem.retry_after_ms || 0;
    this.operation = problem.operation_id || "";
  }
}

const noContact = () => new Failure({ code: "no_contact", detail: "The server does not answer. It may be stopped, or the network is down." });

// identity is who this tab is. It is in the tab's own storage and in headers,
// never in an address.
export const identity = {
  get user() { return sessionStorage.getItem("weir.user") || ""; },
  get key() { return sessionStorage.getItem("weir.key") || ""; },
  set(user, key) {
    for (const [name, value] of [["weir.user", user], ["weir.key", key]]) {
      if (value) sessionStorage.setItem(name, value);
      else sessionStorage.removeItem(name);
    }
    events.dispatchEvent(new Event("identity"));
  },
  headers() {
    const h = {};
    // A header is bytes: of UTF-8, each as the character of its number.
    if (this.user) h["X-User-ID"] = String.fromCharCode(...new TextEncoder().encode(this.user));
    if (this.key) h.Authorization = `Bearer ${this.key}`;
    return h;
  },
};

// events tells of "identity" (it changed) and "unauthorized" (a key is needed;
// detail: the Failure).
export const events = new EventTarget();

async function failureOf(response) {
  let problem = { status: response.status, title: `The server answered ${response.status}.` };
  try {
    problem = { ...problem, ...(await response.json()) };
  } catch { /* not a problem of ours: a proxy's, say */ }
  return failed(problem);
}

function failed(problem) {
  const f = new Failure(problem);
  if (f.status === 401) events.dispatchEvent(new CustomEvent("unauthorized", { detail: f }));
  return f;
}

// open begins a call and returns its response, whose status is good. It throws
// a Failure, or the AbortError of the caller's own signal.
async function open(method, path, { body, signal, timeout, accept } = {}) {
  const headers = identity.headers();
  if (accept) headers.Accept = accept;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const signals = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean);
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", redirect: "error", credentials: "same-origin",
      signal: signals.length ? AbortSignal.any(signals) : undefined,
    });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw noContact();
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

export async function call(method, path, options = {}) {
  const response = await open(method, path, { timeout: 15e3, ...options });
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (e) {
    if (options.signal?.aborted) throw e;
    throw noContact();
  }
}

// A stream says that it lives every 15 s: silence for longer is a lost connection.
const silence = 40e3;

// stream yields the events {name, data} of a call that answers with them. It
// throws a Failure when the connection breaks or falls silent; that the last
// event is missing is for the caller to notice.
export async function* stream(method, path, { body, signal } = {}) {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), silence);
  const heard = () => { clearTimeout(timer); timer = setTimeout(() => quiet.abort(), silence); };
  const both = signal ? AbortSignal.any([signal, quiet.signal]) : quiet.signal;
  try {
    const response = await open(method, path, { body, signal: both, accept: "text/event-stream" });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      rest += value;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } catch (e) {
    if (signal?.aborted || e instanceof Failure) throw e;
    throw noContact();
  } finally {
    clearTimeout(timer);
    quiet.abort(); // whoever stops reading leaves
  }
}

function parse(block) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}

// upload sends one file and tells how far it is; only XMLHttpRequest can. It
// returns the document.
export function upload(file, name, { replace, progress, signal }) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, name);
    x.open("POST", `/v1/documents${replace ? "?replace=true" : ""}`);
    for (const [header, value] of Object.entries(identity.headers())) x.setRequestHeader(header, value);
    x.responseType = "json";
    x.upload.addEventListener("progress", (e) => e.lengthComputable && progress(e.loaded / e.total));
    x.addEventListener("load", () => {
      if (x.status >= 200 && x.status < 300 && x.response) resolve({ status: x.status, document: x.response });
      else reject(failed({ status: x.status, title: `The server answered ${x.status}.`, ...x.response }));
    });
    x.addEventListener("error", () => reject(noContact()));
    x.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => x.abort(), { once: true });
    x.send(form);
  });
}
