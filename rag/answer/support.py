"""How well does evidence support a sentence? A score from 0 to 1, and what of the sentence the evidence lacks.

A small logistic model over likeness (shared terms, cosine) and disagreement (negation, direction, numbers). Likeness
alone can't tell a claim from its opposite. Weights, data and figures are in rag/_data/support.json, fitted by
evals/fit_support.py with the built-in embedder; another embedder's cosines may lie elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rag.answer.relevance import Logistic
from rag.errors import ModelError
from rag.models import CrossEncoder, Embedder
from rag.models.embedder import Vectors, normalise
from rag.resources import shipped
from rag.text.analysis import analyse
from rag.text.passages import pieces
from rag.text.wording import directions, negated, numbers, split

SUPPORT_FEATURES = (
    "terms shared",
    "cosine",
    "negation differs",
    "same direction",
    "direction is missing",
    "number",
)

_CONSIDERED = 12  # sentences of the evidence that are embedded
_NEAREST = 3
_NONE: Mapping[str, Vectors] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Support:
    """How well evidence supports a sentence, 0 to 1.

    `best` is the index of the evidence that says it or comes nearest, None where there is none. `missing_numbers` are
    the sentence's numbers, as printed, that stand nowhere in the evidence.
    """

    score: float
    best: int | None
    missing_numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """`SUPPORT_FEATURES` of a sentence and its evidence, shape (6,), and the sentence of the evidence nearest to it."""

    features: NDArray[np.float64]
    nearest: str


@dataclass(frozen=True, slots=True)
class SupportScorer:
    """Scores with an embedder's vectors, or with a cross-encoder where there is one."""

    embedder: Embedder
    cross: CrossEncoder | None = None

    def score(
        self, sentence: str, evidence: Sequence[str], known: Mapping[str, Vectors] = _NONE
    ) -> Support:
        """How well texts support a sentence together; 1 where one of them says it word for word.

        `known` holds unit vectors of sentences of the evidence, which need not be embedded again.

        White space does not count. Without a word in the sentence or in the evidence the score is 0. Terms and numbers
        are looked for in all of the evidence, the rest in the 12 of its sentences that share most terms.
        """
        missing = missing_numbers(sentence, evidence)
        parts = [split(text) for text in evidence]
        quoted = next((n for n, said in enumerate(parts) if _says(said, sentence)), None)
        if quoted is not None:
            return Support(1.0, quoted, missing)
        if self.cross is not None:
            return self._entailed(self.cross, sentence, evidence, missing)
        compared = self.compare(sentence, evidence, known)
        if compared is None:
            return Support(0.0, None, missing)
        best = next(n for n, said in enumerate(parts) if compared.nearest in said)
        return Support(float(_model()(compared.features[np.newaxis])[0]), best, missing)

    def _entailed(
        self, cross: CrossEncoder, sentence: str, evidence: Sequence[str], missing: tuple[str, ...]
    ) -> Support:
        """The best of each text and of all together, cut where they are longer than the model reads (Laban 2022)."""
        texts = [(number, text) for number, text in enumerate(evidence) if re.search(r"\w", text)]
        if not texts or not re.search(r"\w", sentence):
            return Support(0.0, None, missing)
        room = cross.max_tokens
        if (own := cross.count("", sentence)) > room // 2:
            raise ModelError(
                f"a sentence of {own} tokens leaves too little of support.max_tokens ({room}) for evidence"
            )
        joined = " ".join(text for _, text in texts)
        premises = [
            (number, piece) for number, text in texts for piece in _cut(cross, text, sentence, room)
        ]
        whole = _cut(cross, joined, sentence, room) if len(texts) > 1 else []
        scores = cross.entails([*(piece for _, piece in premises), *whole], sentence)
        best = premises[int(scores[: len(premises)].argmax())][0]
        return Support(float(scores.max()), best, missing)

    def compare(
        self, sentence: str, evidence: Sequence[str], known: Mapping[str, Vectors] = _NONE
    ) -> Compared | None:
        """What the model looks at, or None where the sentence or the evidence has no word."""
        terms, said = set(analyse(sentence)), {part for text in evidence for part in split(text)}
        if not split(sentence) or not said:
            return None
        shared = {part: terms.intersection(analyse(part)) for part in said}
        # Sorted by text too, so that neither choice nor rounding depends on the order of the evidence.
        considered = sorted(said, key=lambda part: (-len(shared[part]), part))[:_CONSIDERED]
        nearest, cosine = self._nearest(sentence, considered, known)
        overlap = len(set().union(*shared.values())) / max(1, len(terms))
        missing = float(bool(missing_numbers(sentence, evidence)))
        return Compared(
            np.array([overlap, cosine, *_disagreement(sentence, nearest), missing]), nearest[0]
        )

    def _nearest(
        self, sentence: str, parts: Sequence[str], known: Mapping[str, Vectors]
    ) -> tuple[list[str], float]:
        """The nearest parts, nearest first, and the sentence's cosine to their mean."""
        unknown = [part for part in parts if part not in known]
        asked, *made = self._embed([sentence, *unknown])
        vectors = dict(zip(unknown, made, strict=True))
        others = np.stack([vectors[part] if part in vectors else known[part] for part in parts])
        order = np.argsort(-(others @ asked), kind="stable")[:_NEAREST]
        mean = normalise(others[order].mean(axis=0, keepdims=True))[0]
        return [parts[n] for n in order], float(mean @ asked)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, a row each; a text that is longer than the embedder reads has the mean of its pieces."""
        read = [
            pieces(text, self.embedder.count, self.embedder.identity.max_tokens) for text in texts
        ]
        vectors = self.embedder.embed([piece for one in read for piece in one])
        starts = np.cumsum([0, *(len(one) for one in read[:-1])])
        return normalise(np.add.reduceat(vectors, starts))


def _cut(cross: CrossEncoder, text: str, sentence: str, room: int) -> list[str]:
    """The text in pieces that fit beside the sentence."""
    return list(pieces(text, lambda piece: cross.count(piece, sentence), room))


def missing_numbers(sentence: str, evidence: Sequence[str]) -> tuple[str, ...]:
    """The numbers of the sentence, as printed, that stand nowhere in the evidence."""
    there = frozenset[float]().union(
        *(values for text in evidence for values in numbers(text).values())
    )
    return tuple(printed for printed, values in numbers(sentence).items() if not values & there)


def _disagreement(sentence: str, nearest: Sequence[str]) -> tuple[float, float, float]:
    """Negation in only one of sentence and nearest part; agreement in direction with all; one the nearest lacks."""
    apart = negated(sentence) != negated(nearest[0])
    asked, said = directions(sentence), [directions(part) for part in nearest]
    together = _sign(*asked) * _sign(sum(up for up, _ in said), sum(down for _, down in said))
    lacking = any(wanted > there for wanted, there in zip(asked, said[0], strict=True))
    return float(apart), together, float(lacking)


def _sign(up: int, down: int) -> float:
    """From -1, all words say less, to 1, all say more."""
    return (up - down) / max(1, up + down)


def _says(parts: Sequence[str], sentence: str) -> bool:
    """Whether whole sentences are this sentence, white space aside; "it is false that ..." doesn't say the rest."""
    words = r"\s+".join(re.escape(word) for word in sentence.split())
    return bool(words) and bool(re.search(rf"\n{words}\n", "\n" + "\n".join(parts) + "\n"))


@cache
def _model() -> Logistic:
    fitted = json.loads(shipped("support.json").read_text(encoding="utf-8"))
    return Logistic(tuple(fitted["weights"]), fitted["bias"])
