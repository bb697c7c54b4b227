"""all-MiniLM-L6-v2 on onnxruntime, without torch. The only door to onnxruntime and tokenizers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock

from rag.errors import ModelError
from rag.models.base import EmbedderIdentity, Vectors, normalise
from rag.models.graph import BUILDER, BertShape, write_onnx
from rag.models.weights import MINILM, Progress, fetch

_SHAPE = BertShape(layers=6, heads=12, layer_norm_eps=1e-12)
_DIMENSION = 384
_LONGEST = 512
_THREADS = min(4, os.cpu_count() or 1)


def prepare(cache: Path, folder: str, precision: Literal["int8", "fp32"], progress: Progress | None) -> Path:
    """Have weights, tokenizer and graph ready; returns the path of the ONNX file in the cache.

    The graph is written once a machine, and by one process: others wait for it. Raises ModelError.
    """
    home = cache / "all-MiniLM-L6-v2"
    graph = home / f"{precision}-{BUILDER}.onnx"
    tokenizer = home / "tokenizer.json"
    if graph.is_file() and tokenizer.is_file() and not folder:
        return graph
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "lock"):
            files = fetch(MINILM, home, folder, progress)
            if files != home:
                tokenizer.write_bytes((files / "tokenizer.json").read_bytes())
            if not graph.is_file():
                write_onnx(files / "model.safetensors", _SHAPE, graph, int8=precision == "int8")
    except OSError as error:
        raise ModelError(f"the embedder can't be kept in {home}: {error.strerror or error}") from None
    return graph


class MiniLM:
    """Sentence vectors of 384 dimensions by mean pooling (Reimers and Gurevych 2019, arXiv 1908.10084).

    Texts run by themselves, several at once: a batch is padded to its longest text, and gains little on a CPU.
    """

    def __init__(self, graph: Path, max_tokens: int = 256) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        if max_tokens > _LONGEST:
            raise ModelError(f"embedder.max_tokens is {max_tokens}, but all-MiniLM-L6-v2 reads at most {_LONGEST}")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Each new length would otherwise leave its own blocks in the arena.
        options.enable_cpu_mem_arena = False
        # Within a text threads would wait for each other at every step, or spin and slow down whatever else runs.
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(graph.with_name("tokenizer.json")))
        except Exception as error:  # noqa: BLE001 - both libraries raise bare exceptions for a damaged file
            reason = str(error).splitlines()[0]
            raise ModelError(f"the embedder in {graph.parent} is damaged; delete that folder ({reason})") from None
        # The file as published cuts at 128 tokens and pads to them.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._identity = EmbedderIdentity(
            weights=dict(MINILM.files)["model.safetensors"],
            pooling="mean",
            max_tokens=max_tokens,
            dimension=_DIMENSION,
            precision=graph.name.partition("-")[0],
            builder=BUILDER,
        )

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on."""
        return self._identity

    def count(self, text: str) -> int:
        """Word pieces of the text, [CLS] and [SEP] included."""
        return len(self._tokenizer.encode(text).ids)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), 384); ModelError for a text of too many tokens."""
        if not texts:
            return np.zeros((0, _DIMENSION), dtype=np.float32)
        if len(texts) == 1:
            return normalise(self._pooled(texts[0])[np.newaxis])
        with ThreadPoolExecutor(min(_THREADS, len(texts))) as threads:
            return normalise(np.stack(list(threads.map(self._pooled, texts))))

    def _pooled(self, text: str) -> Vectors:
        ids = self._tokenizer.encode(text).ids
        if len(ids) > self._identity.max_tokens:
            raise ModelError(f"a text of {len(ids)} tokens exceeds the embedder's {self._identity.max_tokens}")
        row = np.array([ids], dtype=np.int64)
        hidden = self._session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0]
        pooled: Vectors = hidden[0].mean(axis=0)
        return pooled
