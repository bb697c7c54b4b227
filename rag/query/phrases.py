"""Check whether papers of a library use a phrase."""

from __future__ import annotations

from rag.library import Library
from rag.text.analysis import analyse

_LOOKED_AT = 50  # papers that share most words with the phrase


def occurs(library: Library, phrase: str) -> bool:
    """Check whether a paper has these words, in any inflection, next to each other."""
    phrase_words = _words(phrase)
    papers = library.catalog.papers(
        paper_id for paper_id, _ in library.matching(phrase, _LOOKED_AT)
    )
    return any(_contains(_words(paper.text), phrase_words) for paper in papers.values())


def _contains(words: list[str], phrase_words: list[str]) -> bool:
    length = len(phrase_words)
    return any(
        words[start : start + length] == phrase_words for start in range(len(words) - length + 1)
    )


def _words(text: str) -> list[str]:
    """Return the stems of a text's words; stop words such as "without" stay as they are."""
    return [next(iter(analyse(word)), word) for word in text.casefold().split() if word.isalnum()]
