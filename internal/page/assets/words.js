// Which words of a passage are those of the question. Not what the server went
// by, which stems by language; close enough to lead the eye.

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

// Scripts without spaces: their words are found as they stand, wherever a
// dictionary would cut.
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

const everyday = new Set((
  "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its me may must my no not of on or our " +
  "shall should so than that the their them then there these they this to us was we were what when where which who whom whose why will with would you your " +
  "der die das den dem des ein eine einen einem einer eines und oder ist sind war wie was wer wo wann warum ich du wir sie es im in zu zum zur von mit auf für bei nicht kann darf muss " +
  "el la los las un una unos unas y o es son de del al en con por para que qué como cómo cuando cuándo cuánto cuál quién dónde se su mi " +
  "le les une et ou est sont du au aux dans avec pour sur ce cette que qui quoi quel quelle comment quand combien je tu il elle nous vous " +
  "的 了 吗 呢 是 在 和 有 我 你 他 她 它 们 这 那 可以 什么 怎么 多少 哪里 は が を に の で と も か です ます"
).split(" "));

const plain = (s) => s.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function* segments(text) {
  if (segmenter) {
    for (const s of segmenter.segment(text)) yield { text: s.segment, at: s.index, word: s.isWordLike };
    return;
  }
  for (const m of text.matchAll(/[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}]+/gu)) {
    yield { text: m[0], at: m.index, word: /[\p{L}\p{N}]/u.test(m[0]) };
  }
}

// terms are the words of a question that are worth marking.
export function terms(question) {
  const spaced = new Set(), whole = new Set();
  let run = "";
  const end = () => {
    // The passage may be cut otherwise than the question: pairs of signs that
    // stand together, across the words of a dictionary.
    const signs = [...run];
    for (let i = 0; i + 2 <= signs.length; i++) whole.add(signs[i] + signs[i + 1]);
    run = "";
  };
  for (const s of segments(question)) {
    if (s.word && unspaced.test(s.text) && !everyday.has(s.text)) {
      run += s.text;
      if ([...s.text].length > 1) whole.add(s.text);
      continue;
    }
    end();
    if (!s.word || everyday.has(s.text.toLowerCase()) || unspaced.test(s.text)) continue;
    if (/\p{N}/u.test(s.text) || [...s.text].length > 2) spaced.add(plain(s.text));
  }
  end();
  return { spaced: [...spaced], whole: [...whole].sort((a, b) => b.length - a.length) };
}

// alike: the same word but for its ending.
export function alike(a, b) {
  if (a === b) return true;
  if (/\p{N}/u.test(a + b)) return false;
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  const longer = Math.max(a.length, b.length);
  return n >= 3 && longer - n <= 4 && n >= 0.6 * longer && (n >= 4 || longer - n <= 1);
}

// marks are the places [from, to, term] in the text, in order, none over another.
export function marks(text, wanted) {
  const found = [];
  for (const s of segments(text)) {
    if (!s.word || unspaced.test(s.text)) continue;
    const word = plain(s.text);
    const term = wanted.spaced.find((t) => alike(t, word));
    if (term) found.push([s.at, s.at + s.text.length, term]);
  }
  for (const term of wanted.whole) {
    for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) {
      if (!found.some(([from, to]) => at < to && at + term.length > from)) found.push([at, at + term.length, term]);
    }
  }
  return found.sort((a, b) => a[0] - b[0]);
}

// best is the stretch [from, to] of the text, about size long, that has most of
// the words that were asked for; it begins and ends between words.
export function best(text, found, size) {
  if (text.length <= size * 1.3) return [0, text.length];
  let from = 0, most = 0;
  for (const [start] of found) {
    const inside = found.filter(([at]) => at >= start && at < start + size * 0.8);
    const score = new Set(inside.map((f) => f[2])).size * 10 + Math.min(9, inside.length);
    if (score > most) [most, from] = [score, start];
  }
  from = Math.max(0, from - Math.round(size * 0.2));
  if (from > 0) {
    const cut = text.slice(from, from + 60).search(/[\s。！？，]/u);
    if (cut >= 0) from += cut + 1;
  }
  let to = Math.min(text.length, from + size);
  if (to < text.length) {
    const cut = text.slice(to - 60, to).search(/\s\S*$/u);
    if (cut > 0) to = to - 60 + cut;
  }
  return [from, to];
}
