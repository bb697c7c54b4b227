"""Convert the safetensors of a BERT encoder to an ONNX file; adapter to `onnx`.

The graph is the BERT of Devlin et al. (2018, arXiv 1810.04805), post-norm. It uses onnxruntime's
fused attention, skip layer norm and bias GELU. It is built without torch and runs at onnxruntime's
full speed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUILDER = "bert-graph-2"
_OPSET = 17
_MICROSOFT = "com.microsoft"
_BLOCK = 128  # weights that share one scale
_LEVELS = 127  # largest level of a signed byte, symmetric around 0
_INT8_ACTIVATIONS = 4  # onnxruntime's accuracy_level of that name


@dataclass(frozen=True, slots=True)
class BertShape:
    """The parameters of the model that can't be derived from the shapes of its weights."""

    layers: int
    heads: int
    layer_norm_eps: float


def write_onnx(weights: Path, shape: BertShape, target: Path, *, int8: bool) -> None:
    """Write the encoder as one ONNX file.

    The inputs are input_ids and attention_mask, shape (batch, tokens); the output is hidden, shape
    (batch, tokens, dimension).

    `int8` stores the weights as bytes with a scale for each block of 128. Activations are quantised
    block by block at run time, so that the other texts of a batch do not change a text's vector.
    """
    import onnx
    from safetensors.numpy import load_file

    model = _model(load_file(weights), shape, _ByteGraph() if int8 else _Graph())
    onnx.checker.check_model(model, full_check=False)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / "draft.onnx"
        onnx.save(model, str(draft))
        draft.replace(target)


class _Graph:
    """Collects nodes and weights; the output of a node has the name of the node."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(
        self, op: str, name: str, inputs: list[str], domain: str = "", **attributes: Any
    ) -> str:
        from onnx import helper

        self.nodes.append(
            helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def rows(self, name: str, table: NDArray[np.float32], indices: str) -> str:
        """Add a look-up of the rows of a table at these indices."""
        return self.node("Gather", name, [self.weight(f"{name}.table", table), indices])

    def product(self, name: str, source: str, matrix: NDArray[np.float32]) -> str:
        """Add the product of `source` with a matrix of shape (in, out)."""
        return self.node("MatMul", name, [source, self.weight(f"{name}.matrix", matrix)])


class _ByteGraph(_Graph):
    """Stores the word table and all matrices as bytes."""

    def rows(self, name: str, table: NDArray[np.float32], indices: str) -> str:
        from onnx import TensorProto

        scales = _scales(table)
        levels = self.weight(f"{name}.levels", np.rint(table / scales).astype(np.int8))
        picked = self.node("Gather", f"{name}.picked", [levels, indices])
        picked = self.node("Cast", f"{name}.cast", [picked], to=TensorProto.FLOAT)
        factors = self.node(
            "Gather", f"{name}.factors", [self.weight(f"{name}.scales", scales), indices]
        )
        return self.node("Mul", name, [picked, factors])

    def product(self, name: str, source: str, matrix: NDArray[np.float32]) -> str:
        inner, outer = matrix.shape
        blocks = -(-inner // _BLOCK)
        padded = np.zeros((outer, blocks * _BLOCK), dtype=np.float32)
        padded[:, :inner] = matrix.T
        padded = padded.reshape(outer, blocks, _BLOCK)
        scales = _scales(padded)
        # onnxruntime expects unsigned bytes whose zero point is 128.
        levels = (np.rint(padded / scales) + 128).astype(np.uint8)
        inputs = [
            source,
            self.weight(f"{name}.levels", levels),
            self.weight(f"{name}.scales", scales.reshape(-1)),
        ]
        sizes = {
            "K": inner,
            "N": outer,
            "bits": 8,
            "block_size": _BLOCK,
            "accuracy_level": _INT8_ACTIVATIONS,
        }
        return self.node("MatMulNBits", name, inputs, domain=_MICROSOFT, **sizes)


def _scales(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the value of one level in each block along the last axis; 1 for a block of zeros.

    The last axis is kept with length 1.
    """
    largest = np.abs(array).max(axis=-1, keepdims=True)
    return np.where(largest > 0, largest / _LEVELS, 1).astype(np.float32)


def _model(weights: Mapping[str, NDArray[np.float32]], shape: BertShape, graph: _Graph) -> Any:
    from onnx import TensorProto, helper

    hidden = _embeddings(graph, weights, shape)
    # onnxruntime's attention expects the mask as 32-bit integers of shape (batch, tokens).
    mask = graph.node("Cast", "mask32", ["attention_mask"], to=TensorProto.INT32)
    for layer in range(shape.layers):
        hidden = _layer(graph, weights, shape, layer, hidden, mask)
    graph.nodes[-1].output[0] = "hidden"  # the name of the graph's output
    dimension = weights["embeddings.word_embeddings.weight"].shape[1]
    encoder = helper.make_graph(
        graph.nodes,
        "bert",
        [_port("input_ids", TensorProto.INT64, 2), _port("attention_mask", TensorProto.INT64, 2)],
        [
            helper.make_tensor_value_info(
                "hidden", TensorProto.FLOAT, ["batch", "tokens", dimension]
            )
        ],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(encoder, opset_imports=opsets, ir_version=8, producer_name=BUILDER)


def _port(name: str, kind: int, rank: int) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, ["batch", "tokens"][:rank])


def _embeddings(graph: _Graph, weights: Mapping[str, NDArray[np.float32]], shape: BertShape) -> str:
    """Add the sum of word, position and type embeddings, normalised. All tokens have type 0."""
    # The type embedding is the same for all tokens, so it is added to the positions here.
    positions = weights["embeddings.position_embeddings.weight"] + weights[_TYPES][0]
    table = graph.weight("positions", positions)
    looked_up = graph.rows("words", weights["embeddings.word_embeddings.weight"], "input_ids")
    size = graph.node("Shape", "size", ["input_ids"], start=1, end=2)
    start = graph.weight("zero", np.array([0], dtype=np.int64))
    rows = graph.node("Slice", "position_rows", [table, start, size])
    total = graph.node("Add", "embedded", [looked_up, rows])
    scale, bias = _norm(graph, weights, "embeddings.LayerNorm")
    return graph.node(
        "LayerNormalization", "embeddings_norm", [total, scale, bias], epsilon=shape.layer_norm_eps
    )


_TYPES = "embeddings.token_type_embeddings.weight"


def _norm(graph: _Graph, weights: Mapping[str, NDArray[np.float32]], name: str) -> Iterator[str]:
    return iter(
        [graph.weight(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias")]
    )


def _layer(
    graph: _Graph,
    weights: Mapping[str, NDArray[np.float32]],
    shape: BertShape,
    layer: int,
    hidden: str,
    mask: str,
) -> str:
    """Add an encoder layer: self-attention and feed-forward, each with skip and layer norm."""
    at = f"encoder.layer.{layer}"
    query, key, value = (
        graph.product(f"{at}.{name}", hidden, weights[f"{at}.attention.self.{name}.weight"].T)
        for name in ("query", "key", "value")
    )
    biases = np.concatenate(
        [weights[f"{at}.attention.self.{name}.bias"] for name in ("query", "key", "value")]
    )
    attended = graph.node(
        "MultiHeadAttention",
        f"{at}.attended",
        [query, key, value, graph.weight(f"{at}.qkv_bias", biases), mask],
        domain=_MICROSOFT,
        num_heads=shape.heads,
    )
    mixed = _dense(graph, weights, f"{at}.attention.output.dense", attended)
    hidden = _skip_norm(graph, weights, shape, f"{at}.attention.output", mixed, hidden)
    inner = graph.product(f"{at}.inner", hidden, weights[f"{at}.intermediate.dense.weight"].T)
    bias = graph.weight(f"{at}.inner_bias", weights[f"{at}.intermediate.dense.bias"])
    active = graph.node("BiasGelu", f"{at}.active", [inner, bias], domain=_MICROSOFT)
    outer = _dense(graph, weights, f"{at}.output.dense", active)
    return _skip_norm(graph, weights, shape, f"{at}.output", outer, hidden)


def _dense(
    graph: _Graph, weights: Mapping[str, NDArray[np.float32]], name: str, source: str
) -> str:
    product = graph.product(f"{name}.product", source, weights[f"{name}.weight"].T)
    return graph.node(
        "Add", f"{name}.sum", [product, graph.weight(f"{name}.b", weights[f"{name}.bias"])]
    )


def _skip_norm(
    graph: _Graph,
    weights: Mapping[str, NDArray[np.float32]],
    shape: BertShape,
    name: str,
    source: str,
    skipped: str,
) -> str:
    scale, bias = _norm(graph, weights, f"{name}.LayerNorm")
    return graph.node(
        "SkipLayerNormalization",
        f"{name}.normed",
        [source, skipped, scale, bias],
        domain=_MICROSOFT,
        epsilon=shape.layer_norm_eps,
    )
