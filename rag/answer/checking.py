"""Does a sentence that a model wrote hold against the paper it cites? Its support, best sentence and stray numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.answer.support import support

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Checked:
    """How well evidence supports a sentence (0 to 1), which of it does best, and numbers that stand in none of it."""

    score: float
    best: int
    numbers: tuple[str, ...]


class Checker(Protocol):
    """Checks a sentence against the sentences that it cites."""

    def score(self, sentence: str, evidence: Sequence[str]) -> Checked:
        """The check against evidence of at least one sentence."""
        ...


class WordOverlap:
    """Support is the share of the sentence's words that stand in the best evidence sentence."""

    def score(self, sentence: str, evidence: Sequence[str]) -> Checked:
        """The check against evidence of at least one sentence."""
        scores = [support(sentence, one) for one in evidence]
        best = max(range(len(scores)), key=scores.__getitem__)
        there = {number for one in evidence for number in _NUMBER.findall(one)}
        stray = tuple(dict.fromkeys(number for number in _NUMBER.findall(sentence) if number not in there))
        return Checked(scores[best], best, stray)
