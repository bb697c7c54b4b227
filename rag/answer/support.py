"""Score from 0 to 1 how well evidence supports a sentence, and list its numbers without evidence.

The score is a small logistic model over similarity (shared terms, cosine) and disagreement
(negation, direction, numbers), because similarity alone can't separate a claim from its opposite.
Weights, data and figures are in rag/_data/support.json. evals/fit_support.py fitted them with the
built-in embedder; the cosines of another embedder may have another scale.
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
_NEAREST = 3  # sentences whose vectors are averaged
_NONE: Mapping[str, Vectors] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Support:
    """The support of a sentence by evidence, 0 to 1.

    `best` is the index of the text that supports it best, None if there is no text. The sentence's
    numbers that the evidence does not have are in `missing_numbers`, as printed.
    """

    score: float
    best: int | None
    missing_numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The `SUPPORT_FEATURES`, shape (6,), and the evidence's sentence nearest to the one scored."""

    features: NDArray[np.float64]
    nearest: str


@dataclass(frozen=True, slots=True)
class SupportScorer:
    """Scores with an embedder's vectors, or with the cross-encoder if one is given."""

    embedder: Embedder
    cross: CrossEncoder | None = None

    def score(
        self, sentence: str, evidence: Sequence[str], known: Mapping[str, Vectors] = _NONE
    ) -> Support:
        """Score how well texts together support a sentence; 1 if one has it word for word.

        `known` has unit vectors of the evidence's sentences that need not be embedded again, by
        their texts. White space is ignored. If the sentence or the evidence has no word, the score
        is 0. Terms and numbers are searched in all of the evidence; the other features use the 12
        sentences that share most terms. Raises ModelError if the sentence is too long for the
        cross-encoder.
        """
        missing = missing_numbers(sentence, evidence)
        split_texts = [split(text) for text in evidence]
        quoted = next((n for n, parts in enumerate(split_texts) if _says(parts, sentence)), None)
        if quoted is not None:
            return Support(1.0, quoted, missing)
        if self.cross is not None:
            return self._entailed(self.cross, sentence, evidence, missing)
        compared = self.compare(sentence, evidence, known)
        if compared is None:
            return Support(0.0, None, missing)
        best = next(n for n, parts in enumerate(split_texts) if compared.nearest in parts)
        return Support(float(_model()(compared.features[np.newaxis])[0]), best, missing)

    def _entailed(
        self, cross: CrossEncoder, sentence: str, evidence: Sequence[str], missing: tuple[str, ...]
    ) -> Support:
        """Return the maximum over each text alone and all texts joined (like Laban et al. 2022).

        Texts that are longer than the model reads are cut into pieces.
        """
        texts = [(number, text) for number, text in enumerate(evidence) if re.search(r"\w", text)]
        if not texts or not re.search(r"\w", sentence):
            return Support(0.0, None, missing)
        limit = cross.max_tokens
        if (own := cross.count("", sentence)) > limit // 2:
            raise ModelError(
                f"a sentence of {own} tokens leaves too few of {limit} tokens for its evidence;"
                " raise support.max_tokens"
            )
        joined = " ".join(text for _, text in texts)
        premises = [
            (number, piece)
            for number, text in texts
            for piece in _cut(cross, text, sentence, limit)
        ]
        together = _cut(cross, joined, sentence, limit) if len(texts) > 1 else []
        scores = cross.entails([*(piece for _, piece in premises), *together], sentence)
        best = premises[int(scores[: len(premises)].argmax())][0]
        return Support(float(scores.max()), best, missing)

    def compare(
        self, sentence: str, evidence: Sequence[str], known: Mapping[str, Vectors] = _NONE
    ) -> Compared | None:
        """Compute the model's features; None if the sentence or the evidence has no word."""
        terms, parts = set(analyse(sentence)), {part for text in evidence for part in split(text)}
        if not split(sentence) or not parts:
            return None
        shared = {part: terms.intersection(analyse(part)) for part in parts}
        # Sorted by text too, so that choice and rounding do not depend on the evidence's order.
        considered = sorted(parts, key=lambda part: (-len(shared[part]), part))[:_CONSIDERED]
        nearest, cosine = self._nearest(sentence, considered, known)
        overlap = len(set().union(*shared.values())) / max(1, len(terms))
        missing = float(bool(missing_numbers(sentence, evidence)))
        return Compared(
            np.array([overlap, cosine, *_disagreement(sentence, nearest), missing]), nearest[0]
        )

    def _nearest(
        self, sentence: str, parts: Sequence[str], known: Mapping[str, Vectors]
    ) -> tuple[list[str], float]:
        """Return the nearest parts, nearest first, and the sentence's cosine to their mean."""
        unknown = [part for part in parts if part not in known]
        vector, *embedded = self._embed([sentence, *unknown])
        vectors = dict(zip(unknown, embedded, strict=True))
        others = np.stack([vectors[part] if part in vectors else known[part] for part in parts])
        order = np.argsort(-(others @ vector), kind="stable")[:_NEAREST]
        mean = normalise(others[order].mean(axis=0, keepdims=True))[0]
        return [parts[n] for n in order], float(mean @ vector)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts to unit vectors, shape (n, d).

        A text that is longer than the embedder reads gets the mean of its pieces' vectors.
        """
        split_texts = [
            pieces(text, self.embedder.count, self.embedder.identity.max_tokens) for text in texts
        ]
        vectors = self.embedder.embed([piece for parts in split_texts for piece in parts])
        # The row of each text's first piece; `reduceat` adds up the rows from there to the next.
        starts = np.cumsum([0, *(len(parts) for parts in split_texts[:-1])])
        return normalise(np.add.reduceat(vectors, starts))


def _cut(cross: CrossEncoder, text: str, sentence: str, limit: int) -> list[str]:
    """Cut a text into pieces that fit the cross-encoder together with the sentence."""
    return list(pieces(text, lambda piece: cross.count(piece, sentence), limit))


def missing_numbers(sentence: str, evidence: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence's numbers, as printed, that the evidence does not have."""
    found = frozenset[float]().union(
        *(values for text in evidence for values in numbers(text).values())
    )
    return tuple(printed for printed, values in numbers(sentence).items() if not values & found)


def _disagreement(sentence: str, nearest: Sequence[str]) -> tuple[float, float, float]:
    """Return the features "negation differs", "same direction" and "direction is missing".

    The first and the last compare the sentence with the nearest part, the second with all parts.
    """
    negation_differs = negated(sentence) != negated(nearest[0])
    wanted, found = directions(sentence), [directions(part) for part in nearest]
    same = _sign(*wanted) * _sign(sum(up for up, _ in found), sum(down for _, down in found))
    missing = any(number > there for number, there in zip(wanted, found[0], strict=True))
    return float(negation_differs), same, float(missing)


def _sign(up: int, down: int) -> float:
    """Scale the direction to -1 (all words say less) to 1 (all words say more)."""
    return (up - down) / max(1, up + down)


def _says(parts: Sequence[str], sentence: str) -> bool:
    """Check whether a part, or several in a row, equal the sentence except for white space.

    Only complete parts count: "It is false that X." does not say X.
    """
    words = r"\s+".join(re.escape(word) for word in sentence.split())
    return bool(words) and bool(re.search(rf"\n{words}\n", "\n" + "\n".join(parts) + "\n"))


@cache
def _model() -> Logistic:
    fitted = json.loads(shipped("support.json").read_text(encoding="utf-8"))
    return Logistic(tuple(fitted["weights"]), fitted["bias"])
