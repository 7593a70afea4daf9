"""Texts to distil on: paragraphs, sections, sentences and glosses out of Debian
documentation packages, one JSON string a line.

    texts.py FOLDER-OF-DEBS OUT

FOLDER holds the packages of packages.txt (apt-get download). Nothing that
Weir is measured with is among them. The order of the output is fixed.
"""
import gzip
import hashlib
import html.parser
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

BLOCKS = {"p", "li", "dd", "dt", "td", "title", "pre", "blockquote", "div", "section", "note", "item"}
HEADS = {"h1", "h2", "h3", "h4", "title"}
SKIP = {"script", "style", "nav", "head", "pre", "code-block", "info", "footer"}


class Blocks(html.parser.HTMLParser):
    """Headings and blocks of text, in order."""

    def __init__(self):
        super().__init__()
        self.out, self.text, self.head, self.skip = [], [], False, 0

    def flush(self):
        t = " ".join("".join(self.text).split())
        if t:
            self.out.append((self.head, t))
        self.text = []

    def handle_starttag(self, tag, attrs):
        if tag in SKIP:
            self.skip += 1
        if tag in BLOCKS or tag in HEADS:
            self.flush()
            self.head = tag in HEADS

    def handle_endtag(self, tag):
        if tag in SKIP and self.skip:
            self.skip -= 1
        if tag in BLOCKS or tag in HEADS:
            self.flush()
            self.head = False

    def handle_data(self, data):
        if not self.skip:
            self.text.append(data)


def english(t):
    letters = sum(c.isascii() and (c.isalpha() or c == " ") for c in t)
    return letters > 0.8 * len(t)


def sections(blocks):
    """Passages of up to some 130 words under their heading, and the single blocks."""
    head, words, n = "", [], 0
    for is_head, t in blocks:
        t = t.replace("¶", "").strip()
        if is_head:
            if words:
                yield head, " ".join(words)
            head, words, n = re.sub(r"^[\dA-Z.]+\s+", "", t), [], 0
            continue
        words.append(t)
        n += len(t.split())
        if n > 130:
            yield head, " ".join(words)
            words, n = [], 0
    if words:
        yield head, " ".join(words)


def pieces(blocks):
    for head, t in sections(blocks):
        if len(t) < 40 or not english(t):
            continue
        yield (head + "\n" + t if head else t)[:2000]
        if head and len(head) > 8:
            yield head
        sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", t)
        for s in sentences:
            if 30 < len(s) < 300:
                yield s


def web(root, *patterns):
    for pattern in patterns:
        for f in sorted(root.glob(pattern)):
            if f.is_dir():
                continue
            p = Blocks()
            p.feed(f.read_text("utf-8", "replace"))
            p.flush()
            yield from pieces(p.out)


def wordnet(folder):
    """Glosses with their words; neighbours in meaning as one passage; examples."""
    synsets, links = {}, {}
    for pos in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{pos}").read_text().splitlines():
            if line.startswith(" "):
                continue
            data, _, gloss = line.partition(" | ")
            f = data.split()
            n = int(f[3], 16)
            words = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in f[4 : 4 + 2 * n : 2]]
            k = 4 + 2 * n
            key = (f[2].replace("s", "a"), f[0])
            links[key] = [(f[i + 2], f[i + 1]) for i in range(k + 1, k + 1 + 4 * int(f[k]), 4)]
            synsets[key] = (words, gloss.strip())
    rnd = random.Random(1)
    for key, (words, gloss) in synsets.items():
        meaning = re.sub(r';?\s*".*', "", gloss)
        yield ", ".join(words) + ": " + gloss
        yield meaning
        yield words[0]
        for example in re.findall(r'"([^"]{15,})"', gloss):
            yield example
        near = [synsets[k] for k in links[key] if k in synsets]
        if len(near) >= 2:
            rnd.shuffle(near)
            passage = [words[0] + "\n" + gloss + "."]
            passage += [f"{w[0]}: {g}." for w, g in near[:6]]
            yield " ".join(passage)


def packages(text):
    """Descriptions of a Packages file: the short line, the long text, both."""
    for stanza in text.split("\n\n"):
        m = re.search(r"^Description(?:-en)?: (.*)\n((?: .*\n?)*)", stanza, re.M)
        if not m or re.search(r"^Package: (lib.*-dev|.*-dbg|linux-image.*|.*-l10n.*|.*-locale.*)$", stanza, re.M):
            continue
        short = m[1].strip()
        long = " ".join(m[2].replace("\n .\n", "\n").split())
        yield short
        if len(long) > 60:
            yield (short + "\n" + long)[:2000]
            yield long[:700]


def dictd(path):
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    for entry in re.split(r"\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        body = " ".join(body.split())
        if len(body) > 60 and english(body):
            yield (head.strip() + "\n" + body)[:1500]
            yield body[:400]
            yield head.strip()


def fortunes(folder):
    for f in sorted(folder.iterdir()):
        if f.is_file() and not f.suffix:
            for t in f.read_text("utf-8", "replace").split("\n%\n"):
                t = " ".join(t.split())
                if 40 < len(t) < 1500 and english(t):
                    yield t


def everything(debs, dump):
    with tempfile.TemporaryDirectory() as tmp:
        root = pathlib.Path(tmp)
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
        share = root / "usr/share"
        yield from wordnet(share / "wordnet")
        yield from web(
            share,
            "doc/python3.11/html/**/*.html", "doc/postgresql-doc-15/html/*.html", "doc/apache2-doc/manual/en/**/*.html",
            "doc/sqlite3/*.html", "libreoffice/help/en-US/text/**/*.html", "doc/debian-handbook/html/en-US/*.html",
            "doc/debian-policy/**/*.html", "doc/developers-reference/**/*.html", "doc/anarchism/html/*.html",
            "debian-history/docs/**/*.en.html", "doc/debian-history/docs/**/*.en.html", "doc/debian/FAQ/*.en.html",
            "help/C/**/*.page",
        )
        yield from dictd(share / "dictd/foldoc.dict.dz")
        yield from dictd(share / "dictd/jargon.dict.dz")
        yield from fortunes(share / "games/fortunes")
    yield from packages(dump.read_text("utf-8", "replace"))


def main():
    debs, dump, out = map(pathlib.Path, sys.argv[1:4])
    seen, n = set(), 0
    with out.open("w") as f:
        for t in everything(debs, dump):
            key = hashlib.sha256(t.lower().encode()).digest()[:8]
            if key not in seen and len(t) > 2:
                seen.add(key)
                f.write(json.dumps(t) + "\n")
                n += 1
    print(n, "texts")


if __name__ == "__main__":
    main()
