// The Markdown of an answer as elements: paragraphs, headings, lists, code,
// emphasis and citations. Everything else stays the text that it is; what a
// model writes becomes no link, image or HTML.

import { el } from "./dom.js";

// render makes root show text. What is in it already and stays the same is left
// in place: while an answer is written, a citation keeps the focus, and can be
// clicked on. cite(n) makes the element of [n].
export function render(root, text, cite) {
  const out = document.createDocumentFragment();
  const lines = text.split("\n");
  let i = 0;
  while (i < lines.length) {
    const line = lines[i];
    if (/^\s*$/.test(line)) {
      i++;
    } else if (/^\s*```/.test(line)) {
      const code = [];
      for (i++; i < lines.length && !/^\s*```/.test(lines[i]); i++) code.push(lines[i]);
      i++;
      out.append(el("pre", { tabindex: "0" }, el("code", { text: code.join("\n") })));
    } else if (/^#{1,6}\s/.test(line)) {
      out.append(inline(el("h3"), line.replace(/^#+\s+/, ""), cite));
      i++;
    } else if (item(line)) {
      i = list(out, lines, i, cite);
    } else if (/^>\s?/.test(line)) {
      const quoted = [];
      for (; i < lines.length && /^>\s?/.test(lines[i]); i++) quoted.push(lines[i].replace(/^>\s?/, ""));
      out.append(el("blockquote", {}, inline(el("p"), quoted.join("\n"), cite)));
    } else {
      const paragraph = [];
      for (; i < lines.length && /\S/.test(lines[i]) && !item(lines[i]) && !/^(\s*```|#{1,6}\s|>)/.test(lines[i]); i++) paragraph.push(lines[i]);
      out.append(inline(el("p"), paragraph.join("\n"), cite));
    }
  }
  become(root, out);
}

// become makes the children of old those of fresh, and keeps what it can.
function become(old, fresh) {
  const were = [...old.childNodes];
  const are = [...fresh.childNodes];
  are.forEach((now, i) => {
    const was = were[i];
    if (!was) old.append(now);
    else if (was.isEqualNode(now)) return;
    else if (was.nodeType === Node.TEXT_NODE && now.nodeType === Node.TEXT_NODE) was.data = now.data;
    else if (was.cloneNode().isEqualNode(now.cloneNode())) become(was, now);
    else was.replaceWith(now);
  });
  for (const was of were.slice(are.length)) was.remove();
}

function item(line) {
  return /^\s*(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/.exec(line);
}

function list(out, lines, i, cite) {
  const first = item(lines[i]);
  const l = first[1] ? el("ul") : el("ol", { start: first[2] });
  while (i < lines.length) {
    const m = item(lines[i]);
    if (!m || Boolean(m[1]) !== Boolean(first[1])) break;
    const text = [m[3]];
    for (i++; i < lines.length && /^\s+\S/.test(lines[i]) && !item(lines[i]); i++) text.push(lines[i].trim());
    l.append(inline(el("li"), text.join("\n"), cite));
  }
  out.append(l);
  return i;
}

const spans = /`([^`\n]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*\n]*)\*|\[(\d{1,3})\]/g;

function inline(e, text, cite) {
  let at = 0;
  for (const m of text.matchAll(spans)) {
    if (m.index > at) e.append(text.slice(at, m.index));
    if (m[1] !== undefined) e.append(el("code", { text: m[1] }));
    else if (m[2] !== undefined) e.append(inline(el("strong"), m[2], cite));
    else if (m[3] !== undefined) e.append(inline(el("em"), m[3], cite));
    else e.append(cite(Number(m[4])));
    at = m.index + m[0].length;
  }
  if (at < text.length) e.append(text.slice(at));
  return e;
}
