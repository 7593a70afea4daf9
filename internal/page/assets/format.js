// Numbers and times as people read them.

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (n) => number.format(n);
export const time = (t) => clock.format(t);
export const date = (t) => day.format(new Date(t));
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n) {
  if (n < 1024) return plural(n, "byte");
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let i = -1;
  do { n /= 1024; i++; } while (n >= 1024 && i < units.length - 1);
  return `${n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

// ms is a duration given in milliseconds.
export function ms(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  if (n < 10) return `${n.toFixed(1)} ms`;
  if (n < 1000) return `${Math.round(n)} ms`;
  if (n < 60e3) return `${(n / 1000).toFixed(1)} s`;
  if (n < 3600e3) return `${Math.floor(n / 60e3)} min ${Math.round((n % 60e3) / 1000)} s`;
  if (n < 86400e3) return `${Math.floor(n / 3600e3)} h ${Math.floor((n % 3600e3) / 60e3)} min`;
  return plural(Math.floor(n / 86400e3), "day");
}

// pages is "page 3" or "pages 3–5", or "" for formats without pages.
export function pages(start, end) {
  if (!start) return "";
  return end && end !== start ? `pages ${start}–${end}` : `page ${start}`;
}
