"""Real weights as vLLM serves them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from tests.llm import dequantise
from tests.llm.served import VLLM, Server, fast_dtype
from tests.llm.weights import SMALLEST, dequantised

# What llama.cpp writes at temperature 0 from the same file.
BY_LLAMA_CPP = {
    "What is reinforcement learning?": "Reinforcement learning is a type of machine learning "
    "where an agent "
    "learns to make decisions",
    "Write a Python function that returns the n-th Fibonacci number.": (
        "```python\ndef fibonacci(n):\n    if n <= 0:"
    ),
    "Name three methods for offline reinforcement learning.": "1. **Deep Reinforcement Learning",
}


def rotated(pairs: list[tuple[int, int]], rows: np.ndarray) -> np.ndarray:
    """The rows after each pair was rotated by its own angle, as a position does it."""
    out = rows.copy()
    for n, (a, b) in enumerate(pairs):
        cos, sin = np.cos(1.0 / (n + 1)), np.sin(1.0 / (n + 1))
        out[a], out[b] = cos * rows[a] - sin * rows[b], sin * rows[a] + cos * rows[b]
    return out


def test_attention_is_the_same_with_halves_as_with_neighbours() -> None:
    """llama.cpp rotates rows 2i and 2i + 1 of a llama's head, transformers i and i + half."""
    random = np.random.default_rng(0)
    q, k = random.standard_normal((2, 8, 3))
    neighbours = [(0, 1), (2, 3), (4, 5), (6, 7)]
    halves = [(0, 4), (1, 5), (2, 6), (3, 7)]
    one_head = {"llama.attention.head_count": 1, "llama.attention.head_count_kv": 1}
    turned_q = dequantise._unpermuted("q_proj", q, one_head)
    turned_k = dequantise._unpermuted("k_proj", k, one_head)
    scores = rotated(neighbours, q).T @ k
    assert np.allclose(rotated(halves, turned_q).T @ turned_k, scores)
    assert not np.allclose(rotated(halves, q).T @ k, scores)


def test_heads_are_reordered_one_by_one() -> None:
    rows = np.arange(8).reshape(8, 1)
    two_heads = {"llama.attention.head_count_kv": 2}
    turned = dequantise._unpermuted("model.layers.0.self_attn.k_proj.weight", rows, two_heads)
    assert turned.ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_tensor_without_a_name_in_transformers_is_refused() -> None:
    named = dequantise._transformers_name("blk.11.attn_q.bias")
    assert named == "model.layers.11.self_attn.q_proj.bias"
    with pytest.raises(SystemExit, match="no name for the tensor blk.0.ffn_gate_exps.weight"):
        dequantise._transformers_name("blk.0.ffn_gate_exps.weight")


@pytest.fixture(scope="module")
def smol(tmp_path_factory) -> Iterator[Server]:
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    folder = dequantised(SMALLEST, VLLM, fast_dtype())
    server = Server(folder, fast_dtype(), tmp_path_factory.mktemp("smol") / "vllm.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.vllm
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("question", "beginning"), BY_LLAMA_CPP.items())
def test_dequantised_weights_write_what_llama_cpp_writes(smol, question, beginning) -> None:
    asked = {
        "model": "tiny",
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 30,
    }
    reply = httpx.post(f"{smol.root}/v1/chat/completions", json=asked, timeout=60).json()
    assert reply["choices"][0]["message"]["content"].startswith(beginning)
