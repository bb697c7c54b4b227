"""What search and ingest expect of an embedder."""

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
    """What made a library's vectors.

    `weights`, `pooling` and `max_tokens` must match for vectors to be comparable; `precision`, `builder` and `name`
    are recorded only.
    """

    weights: str
    pooling: str
    max_tokens: int
    dimension: int
    precision: str
    builder: str
    name: str = ""

    def __str__(self) -> str:
        """For people: the model's name, or its weights where an older release left the name out."""
        return f"{self.name or self.weights[:12]} ({self.precision}, {self.max_tokens} tokens)"

    def matches(self, other: EmbedderIdentity) -> bool:
        """Whether vectors of the two can be compared."""
        return self._key() == other._key()

    def _key(self) -> tuple[str, str, int, int]:
        return self.weights, self.pooling, self.max_tokens, self.dimension


class Embedder(Protocol):
    """Turns texts into unit vectors: those of sentences can be compared with each other, those of passages too.

    An embedder never cuts silently: a text whose `count` is above `max_tokens` raises ModelError. The vector of a text
    depends on the texts it is embedded with only through rounding.
    """

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on."""
        ...

    def count(self, text: str) -> int:
        """The tokens that the model reads for this text, special tokens included."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of sentences, float32 of shape (len(texts), dimension)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, shaped alike."""
        ...

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Two unit vectors of each question: to compare with those of passages, and of sentences."""
        ...


class OneSpace(ABC):
    """An embedder to which passages, sentences and questions are all the same."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), dimension)."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), dimension)."""
        return self.embed(texts)

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """The same unit vectors for both."""
        vectors = self.embed(texts)
        return vectors, vectors


class CrossEncoder(Protocol):
    """Reads a premise and a hypothesis together and says how surely the one entails the other."""

    @property
    def max_tokens(self) -> int:
        """The tokens that a pair may have, special tokens included."""
        ...

    def count(self, premise: str, hypothesis: str) -> int:
        """The tokens of a pair, special tokens included."""
        ...

    def entails(self, premises: Sequence[str], hypothesis: str) -> Vectors:
        """Probabilities from 0 to 1, shape (len(premises),); ModelError for a pair of too many tokens."""
        ...


class Reranker(Protocol):
    """Reads a question and a text together and says how well the one answers the other."""

    papers: int

    def score(self, question: str, texts: Sequence[str]) -> Vectors:
        """How well each text answers, shape (len(texts),), higher is better; raises ModelError."""
        ...


def normalise(vectors: Vectors) -> Vectors:
    """Scale each row to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
