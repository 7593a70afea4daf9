"""Test data of internal/builtin, from the reference tokenizer (and, for the
vectors, from the arithmetic of the model file done again here).

    golden.py MODEL-FOLDER MODEL.bin OUT-FOLDER

tokens.json: texts in many scripts and random Unicode, with their tokens.
codepoints.txt: for every 256 code points c a hash of the tokens of "a"+c+"b".
vectors.json: texts, four values of their vector, and its SHA-256 (float32, little-endian).
"""
import hashlib
import json
import math
import pathlib
import random
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "What is the most I will pay out of pocket for covered medical services?",
    "Café Ångström naïve façade Œuvre Straße ẞ İstanbul ﬁne Ⅷ ½ ①",
    "cafe\u0301 a\u030a\u0323 o\u0323\u0302 \u1e69 s\u0323\u0307 q\u0307\u0323",
    "unaffable embeddings electroencephalographically",
    "don't e-mail me@example.com: https://example.com/a?b=c&d=%20 #5 $1,500.00 (30%)",
    "Быстрая коричневая лиса; Ёлка и йод. Їжак",
    "Η γρήγορη καφέ αλεπού Σίσυφος ΣΑΣ ά",
    "敏捷的棕色狐狸 跳过了懒狗。東京都は日本の首都です。カタカナ ｶﾀｶﾅ ﷽",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다 각 힣",
    "الثعلب البني السريع ٱلْحَمْدُ لِلَّٰهِ",
    "השועל החום המהיר שָׁלוֹם",
    "तेज़ भूरी लोमड़ी क़ ड़",
    "ก็ไก่ น้ำ ประเทศไทย",
    "Nhanh như cắt: Đường phố Hà Nội",
    "emoji 😀 👩‍👩‍👧 🇩🇪 ❤️ ☃",
    "tab\tnewline\ncarriage\rnbsp\u00a0em\u2003zwsp\u200bbom\ufeffsoft\u00adhyphen\u2028line\u0085nel\x0bvt\x0cff\x00nul\ufffdrep",
    "[CLS] [SEP] [MASK] [PAD] [UNK] [unused1] ##ing ## #",
    "a" * 99, "a" * 100, "a" * 101, "b" * 300, "é" * 100, "é" * 101, "\u0301" * 50 + "x", "漢" * 120,
    "a\u302e\u1baab \u302e\u1baa a\u302e\u0301\u1baa a\u302e\u0903\u1baa \u1baa\u302e",
    "\U0001d15e\U0001d165 \U0001d160", "\u037e \u1fef \u212a \u2126 \u2000x\u2001y", "\uf900\uf901x\U0002f800",
    "", " ", "\u200b", "\n\t ", ".", "...", "ﬀ", "ſ", "Ǆ ǅ ǆ", "\u1e9b\u0323", "²³¹ ª º", "ＡＢＣ１２３！",
]


def fnv(ids):
    h = 14695981039346656037
    for i in ids:
        for b in struct.pack("<H", i):
            h = (h ^ b) * 1099511628211 & (1 << 64) - 1
    return h


def random_texts(n):
    rnd = random.Random(5)
    bands = [(0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1200), (0x1AB0, 0x1C50),
             (0x1DC0, 0x2100), (0x2000, 0x2500), (0x302A, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xA800, 0xAB00), (0xF900, 0x10000), (0x10A00, 0x12000),
             (0x1D100, 0x1D250), (0x1E000, 0x1F000), (0x1F300, 0x1F700), (0x2F800, 0x2FA20), (0, 0x110000)]
    for _ in range(n):
        lo, hi = rnd.choice(bands)
        lo2, hi2 = rnd.choice(bands)
        cs = []
        for _ in range(rnd.randint(1, 24)):
            c = rnd.randrange(lo, hi) if rnd.random() < 0.6 else rnd.randrange(lo2, hi2) if rnd.random() < 0.7 else rnd.choice([0x20, 0x61, 0x302E, 0x1BAA, 0x301])
            if not 0xD800 <= c < 0xE000:
                cs.append(chr(c))
        yield "".join(cs)


class Model:
    """The model file, read without regard to speed."""

    def __init__(self, path):
        raw = pathlib.Path(path).read_bytes()
        vocab, self.dim, self.hashed, blocks, maps, runes, marks, words = struct.unpack("<8I", raw[8:40])
        at = 40 + 0x1100 + blocks * 512 + maps * 4 + runes * 4 + marks * 4 + (vocab + 1) * 4 + words
        self.weights = np.frombuffer(raw, "<u2", vocab, at).astype(np.int64)
        self.rows = np.frombuffer(raw, np.int8, vocab * self.dim, at + vocab * 2).reshape(vocab, self.dim).astype(np.int64)

    def vector(self, ids):
        total = (self.rows[ids] * self.weights[ids, None]).sum(0)
        squares = 0.0
        for t in total.tolist():
            squares += float(t) * float(t)
        norm = math.sqrt(squares)
        return np.array([t / norm for t in total.tolist()], np.float32)


def main():
    folder, model, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    t = Tokenizer.from_file(folder + "/tokenizer.json")
    t.no_padding(), t.no_truncation()
    t.encode_special_tokens = True

    def ids(text):
        return t.encode(text, add_special_tokens=False).ids

    texts = TEXTS + list(random_texts(600))
    (out / "tokens.json").write_text("[\n" + ",\n".join(json.dumps([s, ids(s)], ensure_ascii=True, separators=(",", ":")) for s in texts) + "\n]\n")
    with (out / "codepoints.txt").open("w") as f:
        for hi in range(0x1100):
            if 0xD8 <= hi < 0xE0:
                continue
            row = t.encode_batch(["a" + chr(hi * 256 + lo) + "b" for lo in range(256)], add_special_tokens=False)
            f.write(f"{fnv([i for e in row for i in e.ids + [0xFFFF]]):016x}\n")
    m = Model(model)
    rows = []
    for s in TEXTS + ["x " * 5000 + "the end"]:
        i = ids(s)
        if i and 100 not in i:
            v = m.vector(i)
            rows.append({"text": s, "first": [float(x) for x in v[:4]], "sha256": hashlib.sha256(v.astype("<f4").tobytes()).hexdigest()})
    (out / "vectors.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(len(texts), "texts,", len(rows), "vectors")


if __name__ == "__main__":
    main()
