"""Which of a paper's sentences to quote: those that answer best, nothing twice, and none that can't be read alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.records import Sentence
from rag.text.analysis import analyse
from rag.text.wording import directions, negated, numbers

_WORTH = 0.6  # of the best sentence's score, for another to be quoted beside it (docs/LOG.md)
_ALIKE = 0.8  # of all terms of two sentences, shared: they say the same
_LEANS = re.compile(
    r"(?:It|They|Its|Their|Them|These|Those|Such|This|That|The (?:former|latter))\b"
    r"(?! (?:paper|work|article|study|survey|report|thesis)\b)"
    # "It is known that" points forward.
    r"(?!(?<=It) (?:is|was|has been|remains) (?:\w+ ){1,2}(?:that|whether|how|to)\b)"
)


def chosen(text: str, scores: Mapping[Sentence, float], most: int) -> list[tuple[Sentence, ...]]:
    """At most so many of a paper's sentences, the best one first and the others in the paper's order.

    A sentence that can't be read alone is joined to the one before it.
    """
    best = _distinct(text, scores, most)
    groups: list[tuple[Sentence, ...]] = []
    for sentence in sorted(best, key=lambda one: one.start):
        before = _before(text, sentence, scores)
        if groups and before is not None and before == groups[-1][-1]:
            groups[-1] += (sentence,)
        else:
            groups.append((sentence,) if before is None else (before, sentence))
    return sorted(groups, key=lambda group: best[0] not in group) if best else []


def says_the_same(one: str, other: str) -> bool:
    """Whether two sentences share nearly all their words, and agree in numbers, negation and direction."""
    a, b = set(analyse(one)), set(analyse(other))
    return (
        len(a & b) >= _ALIKE * len(a | b) > 0
        and set(numbers(one).values()) == set(numbers(other).values())
        and negated(one) == negated(other)
        and directions(one) == directions(other)
    )


def leans(sentence: str) -> bool:
    """Whether a sentence begins with a word that points back: "They", "This method"."""
    return _LEANS.match(sentence) is not None


def _distinct(text: str, scores: Mapping[Sentence, float], most: int) -> list[Sentence]:
    ranked = sorted(scores, key=lambda one: (-scores[one], one.start))
    found: list[Sentence] = []
    for sentence in ranked:
        worth = not found or scores[sentence] >= _WORTH * scores[ranked[0]]
        if worth and not any(
            says_the_same(_text(text, sentence), _text(text, one)) for one in found
        ):
            found.append(sentence)
        if len(found) == most:
            break
    return found


def _before(text: str, sentence: Sentence, known: Mapping[Sentence, float]) -> Sentence | None:
    """The sentence that this one leans on, where there is one."""
    if not leans(_text(text, sentence)):
        return None
    earlier: Sequence[Sentence] = [one for one in known if one.end <= sentence.start]
    return max(earlier, key=lambda one: one.end, default=None)


def _text(text: str, sentence: Sentence) -> str:
    return text[sentence.start : sentence.end]
