"""Static token vectors that repeat the teacher.

    train.py MODEL-FOLDER SHARDS OUT.npz [--epochs N] [--dev BEIR-FOLDER]

1. Start (model2vec's method): each vocabulary token alone through the teacher,
   less the mean of all, weighted by a/(a+p) with p its share of the texts (SIF;
   Arora, Liang and Ma, 2017).
2. Then the vectors are learned: the vector of a text is the sum of those of its
   tokens, at unit length, and must be near the teacher's vector of that text
   (cosine), where a text counts by its length: passages are what is searched.
   The length of a token's vector is its weight.

What was tried besides and is off: --rank also asks that a text ranks the others
of its batch as the teacher does (the Kullback-Leibler divergence of the softmax
of the similarities), --clusters makes batches of neighbours for that, --dropout
leaves tokens out.

--dev prints nDCG@10 on a collection while training; nothing is learned from it.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from teacher import DIM, Teacher

UNK = 100
VOCAB = 30522


def load(folder, limit):
    ids, lengths, vectors = [], [], []
    for f in sorted(folder.glob("*.npz"))[:limit]:
        z = np.load(f)
        ids.append(z["ids"])
        lengths.append(z["lengths"])
        vectors.append(z["vectors"])
    lengths = np.concatenate(lengths).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return np.concatenate(ids), starts, np.concatenate(vectors)


def start(teacher, ids, a=1e-3):
    singles = teacher.embed_ids([[101, t, 102] for t in range(VOCAB)])
    p = np.bincount(ids, minlength=VOCAB).astype(np.float64) + 0.5
    p /= p.sum()
    v = (singles - singles.mean(0)) * (a / (a + p))[:, None]
    v[[0, UNK, 101, 102, 103]] = 0
    return torch.from_numpy(v.astype(np.float32))


def clusters(vectors, k, rng, rounds=6):
    """A cluster for each row: k-means on a sample, cosine."""
    x = torch.from_numpy(vectors[rng.choice(len(vectors), min(len(vectors), 60_000), replace=False)].astype(np.float32))
    c = x[:k].clone()
    for _ in range(rounds):
        near = (x @ c.T).argmax(1)
        c = F.normalize(torch.zeros_like(c).index_add_(0, near, x), dim=1)
    out = np.empty(len(vectors), np.int32)
    for i in range(0, len(vectors), 20_000):
        out[i : i + 20_000] = (torch.from_numpy(vectors[i : i + 20_000].astype(np.float32)) @ c.T).argmax(1).numpy()
    return out


class Dev:
    """nDCG@10 (gain rel, documents whole) on a collection in BEIR's layout."""

    def __init__(self, folder, tokenizer):
        folder = pathlib.Path(folder)
        docs = [json.loads(line) for line in open(folder / "corpus.jsonl")]
        queries = [json.loads(line) for line in open(folder / "queries.jsonl")]
        self.rel = {}
        for line in open(folder / "qrels/test.tsv").read().splitlines()[1:]:
            q, d, r = line.split("\t")
            if int(r) > 0:
                self.rel.setdefault(q, {})[d] = int(r)
        self.doc_ids = [d["_id"] for d in docs]
        self.query_ids = [q["_id"] for q in queries if q["_id"] in self.rel]
        self.doc_texts = [d["title"] + "\n" + d["text"] for d in docs]
        self.query_texts = [q["text"] for q in queries if q["_id"] in self.rel]
        tokenizer.no_truncation()
        def enc(texts):
            return [[t for t in e.ids[1:-1] if t != UNK] or [UNK] for e in tokenizer.encode_batch(texts)]
        self.docs, self.queries = enc(self.doc_texts), enc(self.query_texts)
        tokenizer.enable_truncation(256)

    def score(self, q, d):
        total = 0
        for i, row in enumerate(q @ d.T):
            rel = self.rel[self.query_ids[i]]
            top = np.argsort(-row, kind="stable")[:10]
            got = sum((2.0 ** rel.get(self.doc_ids[j], 0) - 1) / math.log2(r + 2) for r, j in enumerate(top))
            best = sum((2.0**g - 1) / math.log2(r + 2) for r, g in enumerate(sorted(rel.values(), reverse=True)[:10]))
            total += got / best
        return total / len(q)

    def static(self, e):
        def vec(rows):
            v = np.stack([e[r].sum(0) for r in rows])
            return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)
        return self.score(vec(self.queries), vec(self.docs))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model"), ap.add_argument("shards"), ap.add_argument("out")
    ap.add_argument("--epochs", type=int, default=5)
    ap.add_argument("--limit", type=int)
    ap.add_argument("--batch", type=int, default=2048)
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--rank", type=float, default=0.0, help="weight of the ranking part")
    ap.add_argument("--tau", type=float, default=0.05)
    ap.add_argument("--length", type=float, default=1.0, help="a text counts by its length to this power")
    ap.add_argument("--dropout", type=float, default=0.0, help="share of tokens left out of a text at each turn")
    ap.add_argument("--clusters", type=int, default=0, help="make batches of neighbours; 0: at random")
    ap.add_argument("--dev", action="append", default=[])
    ap.add_argument("--seed", type=int, default=11)
    a = ap.parse_args()
    torch.manual_seed(a.seed)
    torch.set_num_threads(2)
    rng = np.random.default_rng(a.seed)
    ids, starts, vectors = load(pathlib.Path(a.shards), a.limit)
    teacher = Teacher(a.model, torch.bfloat16)
    devs = [(d, Dev(d, teacher.tokenizer)) for d in a.dev]
    e = start(teacher, ids)
    for name, d in devs:
        print("start", name, round(d.static(e.numpy()), 4), flush=True)
    e.requires_grad_()
    opt = torch.optim.Adam([e], lr=a.lr, betas=(0.9, 0.98))
    lengths = np.diff(starts)
    usable = np.flatnonzero(lengths > 0)
    near = clusters(vectors, a.clusters, rng) if a.clusters else None
    steps = a.epochs * (len(usable) // a.batch)
    step, t0 = 0, time.time()
    for epoch in range(a.epochs):
        order = usable[rng.permutation(len(usable))]
        if a.clusters:
            order = order[np.argsort(near[order], kind="stable")]
            groups = np.array_split(order, len(order) // 256)
            order = np.concatenate([groups[g] for g in rng.permutation(len(groups))])
        sums = np.zeros(3)
        for b in range(0, len(order) - a.batch + 1, a.batch):
            rows = order[b : b + a.batch]
            flat = np.concatenate([ids[starts[r] : starts[r + 1]] for r in rows]).astype(np.int64)
            sizes = lengths[rows]
            if a.dropout:  # but never all of a text
                keep = rng.random(len(flat)) >= a.dropout
                keep[np.concatenate([[0], np.cumsum(sizes)[:-1]])] = True
                sizes = np.add.reduceat(keep, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
                flat = flat[keep]
            offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
            for g in opt.param_groups:
                g["lr"] = a.lr * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            s = F.normalize(F.embedding_bag(torch.from_numpy(flat), e, torch.from_numpy(offsets), mode="sum"), dim=1)
            t = F.normalize(torch.from_numpy(vectors[rows].astype(np.float32)), dim=1)
            cos = (s * t).sum(1)
            w = torch.from_numpy(np.minimum(lengths[rows], 128).astype(np.float32)) ** a.length
            loss = ((1 - cos) * w).sum() / w.sum()
            cos = cos.mean()
            if a.rank:
                mask = torch.eye(a.batch, dtype=torch.bool)
                want = (t @ t.T / a.tau).masked_fill(mask, -1e4)
                got = (s @ s.T / a.tau).masked_fill(mask, -1e4)
                kl = F.kl_div(F.log_softmax(got, 1), F.log_softmax(want, 1), log_target=True, reduction="batchmean")
                loss = loss + a.rank * kl
                sums[1] += kl.item()
            opt.zero_grad()
            loss.backward()
            e.grad[UNK] = 0
            opt.step()
            sums += [cos.item(), 0, 1]
            step += 1
        line = f"epoch {epoch} cos {sums[0] / sums[2]:.4f} kl {sums[1] / sums[2]:.4f} {time.time() - t0:.0f}s"
        for name, d in devs:
            line += f" {pathlib.Path(name).name} {d.static(e.detach().numpy()):.4f}"
        print(line, flush=True)
    np.savez(a.out, e=e.detach().numpy())


if __name__ == "__main__":
    main()
