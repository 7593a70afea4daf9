"""The model file out of learned vectors.

    pack.py MODEL-FOLDER VECTORS.npz OUT.bin

A token's vector becomes a row of int8, its largest value 127, and a weight of
14 bits: vector = weight × row, up to one factor for all, which a direction does
not show.
"""
import struct
import sys

import numpy as np
from tables import pack
from tokenizers import Tokenizer

MAX_WEIGHT = (1 << 14) - 1
SPECIAL = [0, 100, 101, 102, 103]  # never the token of a text


def quantize(e):
    largest = np.abs(e).max(1)
    rows = np.zeros(e.shape, np.int8)
    some = largest > 0
    rows[some] = np.rint(e[some] / largest[some, None] * 127).astype(np.int8)
    weights = np.rint(largest / largest.max() * MAX_WEIGHT).astype(np.uint16)
    return rows, weights


def main():
    model, vectors, out = sys.argv[1:4]
    e = np.load(vectors)["e"].astype(np.float64)
    e[SPECIAL] = 0
    e[1:100] = 0  # [unused…]
    rows, weights = quantize(e)
    tokenizer = Tokenizer.from_file(model + "/tokenizer.json")
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda x: x[1])
    words = [w.encode() for w, _ in vocab]
    assert [i for _, i in vocab] == list(range(len(e)))
    starts = np.concatenate([[0], np.cumsum([len(w) for w in words])]).astype("<u4")
    unicode_tables, counts = pack(tokenizer)
    hashed = int(np.median(weights[weights > 0]))
    with open(out, "wb") as f:
        f.write(b"WEIRSTA1")
        f.write(struct.pack("<8I", len(words), e.shape[1], hashed, *counts, int(starts[-1])))
        f.write(unicode_tables)
        f.write(starts.tobytes())
        f.write(b"".join(words))
        f.write(weights.astype("<u2").tobytes())
        f.write(rows.tobytes())
        print(out, f.tell(), "bytes; hashed weight", hashed, "counts", counts)
        near = (weights[:, None] * rows.astype(np.float64))
        cos = (near * e).sum(1) / np.maximum(np.linalg.norm(near, axis=1) * np.linalg.norm(e, axis=1), 1e-12)
        print("worst row after quantisation: cosine", cos[weights > 0].min())


if __name__ == "__main__":
    main()
