"""The ONNX graph against a forward pass in numpy, written independently from the BERT paper."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from rag.models.graph import BUILDER, BertShape, write_onnx
from tests.models.local import POSITIONS, SHAPE, VOCABULARY, write_bert

Weights = dict[str, NDArray[np.float32]]
Array = NDArray[np.float64]
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _dense(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}.weight"].T.astype(np.float64) + weights[f"{name}.bias"]


def _norm(weights: Weights, name: str, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + SHAPE.layer_norm_eps)
    return scaled * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]


def _attend(weights: Weights, at: str, x: Array) -> Array:
    size = x.shape[-1] // SHAPE.heads
    query, key, value = (
        _dense(weights, f"{at}.attention.self.{part}", x) for part in ("query", "key", "value")
    )
    heads = []
    for head in range(SHAPE.heads):
        columns = slice(head * size, (head + 1) * size)
        scores = np.exp(query[:, columns] @ key[:, columns].T / math.sqrt(size))
        heads.append(scores / scores.sum(-1, keepdims=True) @ value[:, columns])
    return np.concatenate(heads, axis=-1)


def bert(weights: Weights, ids: NDArray[np.int64]) -> Array:
    """The hidden states of one text; padding must not change a text's result."""
    x = weights["embeddings.word_embeddings.weight"][ids].astype(np.float64)
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = _norm(weights, "embeddings", x + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(SHAPE.layers):
        at = f"encoder.layer.{layer}"
        mixed = _dense(weights, f"{at}.attention.output.dense", _attend(weights, at, x))
        x = _norm(weights, f"{at}.attention.output", x + mixed)
        inner = _dense(weights, f"{at}.intermediate.dense", x)
        active = inner * (1 + _erf(inner / math.sqrt(2))) / 2
        x = _norm(weights, f"{at}.output", x + _dense(weights, f"{at}.output.dense", active))
    return x


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bert")


@pytest.fixture(scope="module")
def weights(folder: Path) -> Weights:
    return write_bert(folder / "model.safetensors")


def _session(folder: Path, *, int8: bool) -> onnxruntime.InferenceSession:
    graph = folder / f"int8={int8}.onnx"
    write_onnx(folder / "model.safetensors", SHAPE, graph, int8=int8)
    return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])


def _run(
    session: onnxruntime.InferenceSession, texts: list[NDArray[np.int64]]
) -> list[NDArray[np.float32]]:
    """Return the hidden states of texts in one padded batch, without those of the padding."""
    ids = np.full((len(texts), max(map(len, texts))), 7, dtype=np.int64)  # the mask has to hide it
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    hidden = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return [hidden[row, : len(text)] for row, text in enumerate(texts)]


def _texts(*lengths: int) -> list[NDArray[np.int64]]:
    draw = np.random.default_rng(sum(lengths))
    return [draw.integers(0, VOCABULARY, length) for length in lengths]


@pytest.mark.parametrize(
    "lengths", [(1,), (2,), (17,), (POSITIONS,), (5, 5, 5), (3, 11, 1), (POSITIONS, 2, 23, 1)]
)
def test_the_graph_is_bert(folder: Path, weights: Weights, lengths: tuple[int, ...]) -> None:
    texts = _texts(*lengths)
    for text, hidden in zip(texts, _run(_session(folder, int8=False), texts), strict=True):
        assert hidden.dtype == np.float32
        np.testing.assert_allclose(hidden, bert(weights, text), rtol=0, atol=1e-4)


def test_a_wrong_shape_is_noticed(folder: Path, weights: Weights) -> None:
    """The comparison above is sharp: other heads or another epsilon do not pass it."""
    text = _texts(12)
    for other in (
        BertShape(2, 8, SHAPE.layer_norm_eps),
        BertShape(2, 4, 1e-12),
        BertShape(1, 4, SHAPE.layer_norm_eps),
    ):
        write_onnx(folder / "model.safetensors", other, folder / "other.onnx", int8=False)
        session = onnxruntime.InferenceSession(
            str(folder / "other.onnx"), providers=["CPUExecutionProvider"]
        )
        assert np.abs(_run(session, text)[0] - bert(weights, text[0])).max() > 1e-3


def test_int8_is_close(folder: Path, weights: Weights) -> None:
    texts = _texts(3, 12, 25, POSITIONS)
    for text in texts:
        pooled = _run(_session(folder, int8=True), [text])[0].mean(0)
        exact = bert(weights, text).mean(0)
        assert pooled @ exact / np.linalg.norm(pooled) / np.linalg.norm(exact) > 0.99


def test_no_temporary_files_are_left_next_to_the_graph(tmp_path: Path) -> None:
    write_bert(tmp_path / "model.safetensors")
    write_onnx(tmp_path / "model.safetensors", SHAPE, tmp_path / "graph.onnx", int8=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.onnx", "model.safetensors"]


def test_int8_of_the_built_in_model_keeps_its_vectors(model_cache: Path, tmp_path: Path) -> None:
    from rag.models.built_in import MiniLM

    home = model_cache / "all-MiniLM-L6-v2"
    texts = [
        "Attention is all you need.",
        "We prune 90% of a language model's weights at little loss.",
        "mitochondria",
    ]
    vectors = [
        MiniLM(tmp_path, str(home), precision, 256).embed(texts) for precision in ("fp32", "int8")
    ]
    sizes = [
        (tmp_path / home.name / f"{name}-{BUILDER}.onnx").stat().st_size
        for name in ("fp32", "int8")
    ]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.995
    assert sizes[1] < 0.3 * sizes[0]
    np.testing.assert_array_equal(vectors[1], MiniLM(model_cache, "", "int8", 256).embed(texts))
