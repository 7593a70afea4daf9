"""What the teacher says of every text: vectors in shards, resumable.

    embed.py MODEL-FOLDER TEXTS OUT-FOLDER

Writes OUT/NNN.npz with the token ids (without [CLS] and [SEP], joined), their
lengths and the teacher's vectors (float16, 384). A shard that is there is not
made again. The teacher runs in bfloat16: cosine to float32 above 0.9999.
"""
import json
import pathlib
import random
import sys

import numpy as np
import torch
from teacher import Teacher

SHARD = 40_000
WHOLE = 12  # shards of texts of any length; after them only passages
SHARDS = 14  # in all
LONG = 48  # tokens, of a passage


def main():
    folder, texts, out = map(pathlib.Path, sys.argv[1:4])
    torch.set_num_threads(2)
    out.mkdir(exist_ok=True)
    lines = [json.loads(line) for line in texts.open()]
    random.Random(7).shuffle(lines)
    teacher = Teacher(folder, torch.bfloat16)
    for n in range(min(SHARDS, -(-len(lines) // SHARD))):
        file = out / f"{n:03}.npz"
        if file.exists():
            continue
        enc = [e.ids for e in teacher.tokenizer.encode_batch(lines[n * SHARD : (n + 1) * SHARD])]
        if n >= WHOLE:
            enc = [e for e in enc if len(e) >= LONG]
        vectors = teacher.embed_ids(enc).astype(np.float16)
        inner = [e[1:-1] for e in enc]
        part = file.with_suffix(".part")
        with part.open("wb") as f:
            np.savez(f, ids=np.concatenate(inner).astype(np.uint16), lengths=np.array([len(e) for e in inner], np.uint16), vectors=vectors)
        part.rename(file)
        print(file, flush=True)


if __name__ == "__main__":
    main()
