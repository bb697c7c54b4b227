"""Subjects that several titles share: pairs of words next to each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.records import Paper
from rag.text.analysis import analyse

_SEGMENT = re.compile(r"[^\w\s-]+")
# A word of three or more letters, with hyphens inside only.
_WORD = re.compile(r"[A-Za-z][A-Za-z-]+[A-Za-z]")
# A pair of words with one of these is not a subject.
_STOP_WORD_TEXT = """
    a an the of for in on to and or with without from by via at as is are be can do does how what
    when why which who not no it its their your all you need towards toward using use based beyond
    more less new novel approach method methods study case simple better fast efficient improving
    learning-based through under over into between against
    """
_STOP_WORDS = frozenset(_STOP_WORD_TEXT.split())
_MIN_PAPERS, _MANY_PAPERS = 2, 8  # papers that share a good subject


@dataclass(frozen=True, slots=True)
class Subject:
    """Two words that are adjacent in several titles, and the ids of those papers."""

    words: str
    paper_ids: frozenset[str]


def subjects_of(papers: Sequence[Paper]) -> list[Subject]:
    """Return pairs of words that several titles share, those of most papers first.

    Above `_MANY_PAPERS` a subject is too general, so from there on fewer papers are better.
    """
    shared: dict[tuple[str, ...], set[str]] = {}
    printed: dict[tuple[str, ...], Counter[str]] = {}
    for paper in papers:
        for pair in _pairs(paper.title):
            key = tuple(analyse(pair))  # the same for singular and plural
            shared.setdefault(key, set()).add(paper.id)
            printed.setdefault(key, Counter())[_in_a_sentence(pair)] += 1
    # Print a subject in its most frequent form.
    subjects = [
        Subject(max(printed[key], key=lambda words: (printed[key][words], words)), frozenset(ids))
        for key, ids in shared.items()
        if len(ids) >= _MIN_PAPERS and len(key) > 1
    ]
    return sorted(
        subjects,
        key=lambda subject: (
            -min(len(subject.paper_ids), _MANY_PAPERS),
            len(subject.paper_ids),
            subject.words,
        ),
    )


def _pairs(title: str) -> Iterator[str]:
    for segment in _SEGMENT.split(title):
        words = segment.split()
        for first, second in pairwise(words):
            if all(
                _WORD.fullmatch(word) and word.lower() not in _STOP_WORDS
                for word in (first, second)
            ):
                yield f"{first} {second}"


def _in_a_sentence(words: str) -> str:
    """Lower a title's capitals, but keep those of a name or an abbreviation ("GLOW", "SciFact")."""
    return " ".join(
        word.lower() if word.istitle() or word.islower() else word for word in words.split()
    )


def spread(subjects: Sequence[Subject]) -> list[Subject]:
    """Put subjects that share no paper with an earlier one first, then the others."""
    seen_ids: set[str] = set()
    disjoint: list[Subject] = []
    overlapping: list[Subject] = []
    for subject in subjects:
        (overlapping if subject.paper_ids & seen_ids else disjoint).append(subject)
        seen_ids |= subject.paper_ids
    return disjoint + overlapping
