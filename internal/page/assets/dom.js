// Elements made of text: nothing here, or anywhere, makes HTML of a string.

export const $ = (id) => document.getElementById(id);

// el makes an element. props: class, text, on (listeners by name), data, and
// attributes; false, null and undefined are left out. Children are nodes or text.
export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") e.className = value;
    else if (name === "text") e.textContent = value;
    else if (name === "on") for (const [event, f] of Object.entries(value)) e.addEventListener(event, f);
    else if (name === "data") Object.assign(e.dataset, value);
    else e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// say sets text only if it changed: a live region reads what is set.
export function say(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export function show(e, yes) {
  if (e.hidden === yes) e.hidden = !yes;
}

// A custom property, by the CSSOM: the page's policy allows no style attribute.
export function set(e, name, value) {
  e.style.setProperty(name, value);
}
