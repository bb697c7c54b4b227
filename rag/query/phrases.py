"""Phrases that papers of a library use."""

from __future__ import annotations

from rag.library import Library
from rag.text.analysis import analyse

_LOOKED_AT = 50  # papers that share most words with the phrase


def occurs(library: Library, phrase: str) -> bool:
    """Tell whether a paper has these words next to each other, endings aside."""
    wanted = _words(phrase)
    papers = library.catalog.papers(
        paper_id for paper_id, _ in library.matching(phrase, _LOOKED_AT)
    )
    return any(_holds(_words(paper.text), wanted) for paper in papers.values())


def _holds(words: list[str], wanted: list[str]) -> bool:
    length = len(wanted)
    return any(words[at : at + length] == wanted for at in range(len(words) - length + 1))


def _words(text: str) -> list[str]:
    """Return the words of a text, each as its stem where it has one: stop words such as "without" count here."""
    return [next(iter(analyse(word)), word) for word in text.casefold().split() if word.isalnum()]
