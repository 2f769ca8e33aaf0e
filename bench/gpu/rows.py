"""Measures how fast this GPU serves transformers of known shapes, without their weights.

The weights are random: speed depends on shapes. Batches of requests are served continuously: every slot decodes, and a request that
has its tokens is replaced by a new one, whose prompt is read between two steps. Each row is one shape, prompt length, answer
length and number of requests in flight, in the columns that `mainstay plan calibrate` reads. It needs PyTorch with CUDA.

    python3 bench/gpu/rows.py h200_sxm > rows.csv
"""

import csv
import sys
import time

import torch
import torch.nn.functional as F

# layers, hidden size, heads, KV heads, head dimension, intermediate size, vocabulary
SHAPES = {
    "meta-llama/Llama-3.1-8B": (32, 4096, 32, 8, 128, 14336, 128256),
    "Qwen/Qwen3-14B": (40, 5120, 40, 8, 128, 17408, 151936),
    "Qwen/Qwen3-32B": (64, 5120, 64, 8, 128, 25600, 151936),
}
LENGTHS = [(1024, 256), (4096, 256)]
IN_FLIGHT = [1, 4, 16, 64]
DEVICE, TYPE = "cuda", torch.bfloat16


class Model:
    def __init__(self, shape):
        self.layers, self.hidden, self.heads, self.kv_heads, self.dim, inner, vocabulary = shape
        make = lambda *size: torch.randn(*size, device=DEVICE, dtype=TYPE) * 0.02
        width = (self.heads + 2 * self.kv_heads) * self.dim
        self.weights = [
            (
                make(self.hidden, width),
                make(self.heads * self.dim, self.hidden),
                make(self.hidden, 2 * inner),
                make(inner, self.hidden),
            )
            for _ in range(self.layers)
        ]
        self.norm = torch.ones(self.hidden, device=DEVICE, dtype=TYPE)
        self.head = make(self.hidden, vocabulary)

    def block(self, x, weights, attend):
        qkv, out, up, down = weights
        heads = self.heads * self.dim
        kv = self.kv_heads * self.dim
        normed = F.rms_norm(x, (self.hidden,), self.norm)
        q, k, v = (normed @ qkv).split([heads, kv, kv], dim=-1)
        x = x + attend(q, k, v) @ out
        gate, value = (F.rms_norm(x, (self.hidden,), self.norm) @ up).chunk(2, dim=-1)
        return x + (F.silu(gate) * value) @ down

    def prefill(self, x):
        """Reads the prompt `x` of shape (1, tokens, hidden)."""

        def attend(q, k, v):
            shaped = lambda t, heads: t.view(1, -1, heads, self.dim).transpose(1, 2)
            y = F.scaled_dot_product_attention(
                shaped(q, self.heads),
                shaped(k, self.kv_heads),
                shaped(v, self.kv_heads),
                is_causal=True,
                enable_gqa=True,
            )
            return y.transpose(1, 2).reshape(1, -1, self.heads * self.dim)

        for weights in self.weights:
            x = self.block(x, weights, attend)
        return x[:, -1] @ self.head

    def step(self, x, caches):
        """One token for each request of `x` of shape (requests, hidden), over caches of a fixed length."""
        requests = x.shape[0]
        for weights, (keys, values) in zip(self.weights, caches):

            def attend(q, k, v):
                keys[:, :, -1] = k.view(requests, self.kv_heads, self.dim)
                values[:, :, -1] = v.view(requests, self.kv_heads, self.dim)
                q = q.view(requests, self.heads, 1, self.dim)
                y = F.scaled_dot_product_attention(q, keys, values, enable_gqa=True)
                return y.reshape(requests, self.heads * self.dim)

            x = self.block(x, weights, attend)
        return (x @ self.head).argmax(-1)


def graph_of(work):
    """The work as one graph, so that the time is the GPU's and not Python's."""
    work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def serve(model, prompt, answer, requests):
    """Milliseconds until the first token and for each further token."""
    caches = [
        tuple(
            torch.randn(requests, model.kv_heads, prompt + answer // 2, model.dim, device=DEVICE, dtype=TYPE)
            for _ in range(2)
        )
        for _ in range(model.layers)
    ]
    tokens = torch.randn(requests, model.hidden, device=DEVICE, dtype=TYPE)
    text = torch.randn(1, prompt, model.hidden, device=DEVICE, dtype=TYPE)
    step = graph_of(lambda: model.step(tokens, caches))
    read = graph_of(lambda: model.prefill(text))
    steps = max(64, answer // 2)
    # Each request is replaced once in `answer` steps.
    due, first = 0.0, []
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        due += requests / answer
        while due >= 1.0:
            due -= 1.0
            torch.cuda.synchronize()
            arrived = time.perf_counter()
            read.replay()
            torch.cuda.synchronize()
            first.append((time.perf_counter() - arrived) * 1e3)
        step.replay()
    torch.cuda.synchronize()
    each = (time.perf_counter() - began) * 1e3 / steps
    if not first:
        for _ in range(3):
            torch.cuda.synchronize()
            arrived = time.perf_counter()
            read.replay()
            torch.cuda.synchronize()
            first.append((time.perf_counter() - arrived) * 1e3)
    # A request that comes while a step runs waits for its end, half a step on average.
    return sorted(first)[len(first) // 2] + each / 2, each


def main():
    system = sys.argv[1]
    columns = "id,backend,backend_version,model_path,system,precision,mode,isl,osl,batch_size,tp_size,pp_size,silicon_ttft_ms,silicon_tpot_ms"
    out = csv.writer(sys.stdout)
    out.writerow(columns.split(","))
    with torch.inference_mode():
        for name, shape in SHAPES.items():
            model = Model(shape)
            for prompt, answer in LENGTHS:
                for requests in IN_FLIGHT:
                    try:
                        first, each = serve(model, prompt, answer, requests)
                    except torch.OutOfMemoryError:
                        print(f"{name} {prompt} {requests}: out of memory", file=sys.stderr)
                        continue
                    short = name.split("/")[1].lower()
                    row = f"{short}_{prompt}x{answer}_c{requests}"
                    out.writerow(
                        [row, "vllm", f"torch-{torch.__version__}", name, system, "bf16", "agg"]
                        + [prompt, answer, requests, 1, 1, f"{first:.3f}", f"{each:.3f}"]
                    )
                    sys.stdout.flush()
                    torch.cuda.empty_cache()
            del model
            torch.cuda.empty_cache()


main()
