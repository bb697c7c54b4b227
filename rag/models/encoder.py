"""A BERT encoder without torch; adapter to onnxruntime and tokenizers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from rag.errors import ModelError
from rag.models.embedder import Vectors, normalise

_THREADS = min(4, os.cpu_count() or 1)


class Encoder:
    """Encodes texts as unit vectors, with mean pooling or the vector of the first token ([CLS]).

    Each text is a batch of its own, and several threads run at once: padding a batch to its longest
    text costs more than batching gains on a CPU. Raises ModelError for files that can't be used.
    """

    def __init__(
        self, graph: Path, tokenizer: Path, pooling: Literal["mean", "cls"], dimension: int
    ) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        # The arena would keep blocks of memory for each new text length.
        options.enable_cpu_mem_arena = False
        # More threads for one text would wait for each other at every step, or spin and slow down
        # other programs.
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # noqa: BLE001 - both libraries raise bare exceptions for a damaged file
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"the embedder in {graph.parent} is damaged; delete that folder ({reason})"
            ) from None
        # The published files truncate at 128 or 512 tokens, and pad.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._typed = any(port.name == "token_type_ids" for port in self._session.get_inputs())
        self._pooling, self._dimension = pooling, dimension
        # The threads are kept: each new thread can allocate memory that is not returned to the
        # system. The pool starts them only when they are needed.
        self._threads = ThreadPoolExecutor(_THREADS, "encoder")

    def count(self, text: str) -> int:
        """Return the number of word pieces of the text, [CLS] and [SEP] included."""
        return len(self._tokenizer.encode(text).ids)

    def encode(self, texts: Sequence[str], max_tokens: int) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimension).

        Raises ModelError for a text with more than `max_tokens` tokens.
        """
        rows = [self._tokenizer.encode(text).ids for text in texts]
        if (longest := max(map(len, rows), default=0)) > max_tokens:
            raise ModelError(f"a text of {longest} tokens exceeds the embedder's {max_tokens}")
        if len(rows) < 2:
            return normalise(np.stack([*map(self._pooled, rows)]) if rows else self._empty())
        return normalise(np.stack(list(self._threads.map(self._pooled, rows))))

    def _empty(self) -> Vectors:
        return np.zeros((0, self._dimension), dtype=np.float32)

    def _pooled(self, ids: list[int]) -> Vectors:
        row = np.array([ids], dtype=np.int64)
        inputs = {"input_ids": row, "attention_mask": np.ones_like(row)}
        if self._typed:
            inputs["token_type_ids"] = np.zeros_like(row)
        hidden = self._session.run(None, inputs)[0][0]
        pooled: Vectors = hidden[0] if self._pooling == "cls" else hidden.mean(axis=0)
        return pooled
