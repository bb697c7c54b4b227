"""Choose a paper's sentences to quote: the best, without repeats, and each with its context."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.records import Sentence
from rag.text.analysis import analyse
from rag.text.wording import directions, negated, numbers

_WORTH = 0.6  # least share of the best sentence's score for another sentence (docs/LOG.md)
_ALIKE = 0.8  # share of common terms from which two sentences say the same
# The subject points back ("It", "This method"); "This paper" does not.
_POINTS_BACK = re.compile(
    r"(?:It|They|Its|Their|Them|These|Those|Such|This|That|The (?:former|latter))\b"
    r"(?! (?:paper|work|article|study|survey|report|thesis)\b)"
    # Nor does the impersonal "It is known that".
    r"(?!(?<=It) (?:is|was|has been|remains) (?:\w+ ){1,2}(?:that|whether|how|to)\b)"
)


def chosen(text: str, scores: Mapping[Sentence, float], most: int) -> list[tuple[Sentence, ...]]:
    """Choose at most `most` of a paper's sentences, best first, then in the paper's order.

    Each group has a chosen sentence. A sentence that points back is joined to the one before it,
    so that the group can be read alone; that one does not count.
    """
    best = _distinct(text, scores, most)
    groups: list[tuple[Sentence, ...]] = []
    for sentence in sorted(best, key=_start):
        before = _before(text, sentence, scores)
        if groups and before is not None and before == groups[-1][-1]:
            groups[-1] += (sentence,)
        else:
            groups.append((sentence,) if before is None else (before, sentence))
    return sorted(groups, key=lambda group: best[0] not in group) if best else []


def says_the_same(sentence: str, other: str) -> bool:
    """Check whether two sentences share most words, and agree in numbers, negation, direction."""
    terms, other_terms = set(analyse(sentence)), set(analyse(other))
    return (
        len(terms & other_terms) >= _ALIKE * len(terms | other_terms) > 0
        and set(numbers(sentence).values()) == set(numbers(other).values())
        and negated(sentence) == negated(other)
        and directions(sentence) == directions(other)
    )


def points_back(sentence: str) -> bool:
    """Check whether a sentence begins with a reference to the one before: "They", "This method"."""
    return _POINTS_BACK.match(sentence) is not None


def _distinct(text: str, scores: Mapping[Sentence, float], most: int) -> list[Sentence]:
    """Return the best sentences, at most `most`, that are worth quoting and differ."""
    ranked = sorted(scores, key=lambda sentence: (-scores[sentence], sentence.start))
    found: list[Sentence] = []
    for sentence in ranked:
        worth = not found or scores[sentence] >= _WORTH * scores[ranked[0]]
        if worth and not any(
            says_the_same(_text(text, sentence), _text(text, earlier)) for earlier in found
        ):
            found.append(sentence)
        if len(found) == most:
            break
    return found


def _before(text: str, sentence: Sentence, known: Mapping[Sentence, float]) -> Sentence | None:
    """Return the sentence that this one points back to, or None."""
    if not points_back(_text(text, sentence)):
        return None
    earlier: Sequence[Sentence] = [other for other in known if other.end <= sentence.start]
    return max(earlier, key=lambda other: other.end, default=None)


def _start(sentence: Sentence) -> int:
    return sentence.start


def _text(text: str, sentence: Sentence) -> str:
    return text[sentence.start : sentence.end]
