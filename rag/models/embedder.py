"""Interfaces of embedders, cross-encoders and rerankers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """The model and the settings that produced a library's vectors.

    Vectors are comparable if `weights`, `pooling`, `max_tokens` and `dimension` match. `precision`,
    `builder` and `name` are only recorded.
    """

    weights: str
    pooling: str
    max_tokens: int
    dimension: int
    precision: str
    builder: str
    name: str = ""

    def __str__(self) -> str:
        """Return the model's name, or the hash of its weights if an old release stored no name."""
        return f"{self.name or self.weights[:12]} ({self.precision}, {self.max_tokens} tokens)"

    def matches(self, other: EmbedderIdentity) -> bool:
        """Check whether vectors of the two can be compared."""
        return self._key() == other._key()

    def _key(self) -> tuple[str, str, int, int]:
        return self.weights, self.pooling, self.max_tokens, self.dimension


class Embedder(Protocol):
    """Turns texts into unit vectors.

    Vectors of sentences can be compared with each other, and so can vectors of passages. An
    embedder never truncates silently: a text whose `count` exceeds `max_tokens` raises ModelError.
    The other texts of a call change a text's vector only by rounding.
    """

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on."""
        ...

    def count(self, text: str) -> int:
        """Return the number of tokens of the text, special tokens included."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of sentences, float32 of shape (len(texts), dimension)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of passages, float32 of shape (len(texts), dimension)."""
        ...

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of questions to compare with passages, and to compare with sentences.

        Both are unit vectors, float32 of shape (len(texts), dimension).
        """
        ...


class OneSpace(ABC):
    """An embedder that treats passages, sentences and questions alike."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimension)."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimension)."""
        return self.embed(texts)

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return the same unit vectors twice, float32 of shape (len(texts), dimension)."""
        vectors = self.embed(texts)
        return vectors, vectors


class CrossEncoder(Protocol):
    """Reads a premise and a hypothesis together, and estimates the probability of entailment."""

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens of a pair, special tokens included."""
        ...

    def count(self, premise: str, hypothesis: str) -> int:
        """Return the number of tokens of a pair, special tokens included."""
        ...

    def entails(self, premises: Sequence[str], hypothesis: str) -> Vectors:
        """Return probabilities from 0 to 1 that each premise entails the hypothesis.

        The shape is (len(premises),). Raises ModelError for a pair with too many tokens.
        """
        ...


class Reranker(Protocol):
    """Reads a question and a text together, and scores how well the text answers the question.

    `papers` is the number of search results that it reranks at most.
    """

    papers: int

    def score(self, question: str, texts: Sequence[str]) -> Vectors:
        """Return how well each text answers the question, shape (len(texts),); higher is better.

        Raises ModelError.
        """
        ...


def normalise(vectors: Vectors) -> Vectors:
    """Scale each row to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
