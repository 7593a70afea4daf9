// A line of the last minutes, drawn small.

import { svg } from "./dom.js";

const width = 160, height = 36;

// spark draws values, oldest first, null where nothing is known; span is how
// many there is room for. A picture beside its number: nothing is read from it
// alone.
export function spark(values, { span = 120, least = 1 } = {}) {
  const top = Math.max(least, ...values.filter((v) => v !== null));
  const x = (i) => ((i + span - values.length) / (span - 1)) * width;
  const y = (v) => height - 2 - (v / top) * (height - 4);
  const runs = [];
  let run = [];
  for (const [i, v] of values.entries()) {
    if (v === null) { if (run.length) runs.push(run); run = []; } else run.push([x(i), y(v)]);
  }
  if (run.length) runs.push(run);
  const at = ([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" });
  for (const r of runs) {
    const line = r.map(at).join(" L ");
    root.append(svg("path", { class: "area", d: `M ${r[0][0].toFixed(1)} ${height} L ${line} L ${r.at(-1)[0].toFixed(1)} ${height} Z` }), svg("path", { class: "line", d: `M ${line}` }));
  }
  return root;
}
