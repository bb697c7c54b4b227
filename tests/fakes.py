"""Parts that keep the contracts of the real ones and need nothing but numpy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from rag.models.embedder import EmbedderIdentity, OneSpace, Vectors, normalise


class WordEmbedder(OneSpace):
    """Embed a text as the sum of fixed random word vectors: shared words make texts similar."""

    def __init__(self, dimension: int = 64, max_tokens: int = 64, weights: str = "words") -> None:
        self.identity = EmbedderIdentity(weights, "sum", max_tokens, dimension, "fp32", "fake")
        self.embedded = 0

    def count(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text)) + 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += len(texts)
        for text in texts:
            assert self.count(text) <= self.identity.max_tokens, (
                f"{self.count(text)} tokens: {text!r}"
            )
        rows = [self._vector(text) for text in texts]
        return (
            normalise(np.stack(rows))
            if rows
            else np.zeros((0, self.identity.dimension), np.float32)
        )

    def _vector(self, text: str) -> Vectors:
        words = re.findall(r"\w+", text.lower()) or [""]
        return np.sum([self._word(word) for word in words], axis=0, dtype=np.float32)

    def _word(self, word: str) -> Vectors:
        seed = int.from_bytes(
            hashlib.sha256(f"{self.identity.weights} {word}".encode()).digest()[:8], "little"
        )
        return (
            np.random.default_rng(seed).standard_normal(self.identity.dimension).astype(np.float32)
        )


class WordCrossEncoder:
    """Score entailment as the share of the hypothesis' words that are in the premise."""

    def __init__(self, max_tokens: int = 64) -> None:
        self.max_tokens = max_tokens

    def count(self, premise: str, hypothesis: str) -> int:
        return len(premise.split()) + len(hypothesis.split()) + 3

    def entails(self, premises: Sequence[str], hypothesis: str) -> Vectors:
        assert all(self.count(premise, hypothesis) <= self.max_tokens for premise in premises), (
            "a pair is too long"
        )
        words = set(hypothesis.lower().split())
        shares = [len(words & set(premise.lower().split())) / len(words) for premise in premises]
        return np.array(shares, dtype=np.float32)
