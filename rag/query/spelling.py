"""Correct misspelt words of a question by the library's vocabulary.

A word is corrected only if no paper has it, neither the embedder nor a list of English words knows
it, and a paper has a similar word. Similar means one letter changed, deleted, inserted, or swapped
with its neighbour (Damerau 1964); two in long words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache

from rag.library import Library
from rag.models import Embedder
from rag.text.analysis import analyse

_WORD = re.compile(r"(?<![\w-])[^\W\d_]{5,}(?![\w-])")
_LONG = 9  # letters of a word in which two errors are likely
_LIKE = 0.75  # the share of letters, in order, that a correction must have in common
_LOOKED_AT = 50  # papers that may have the correct word


def misspelt(library: Library, embedder: Embedder, question: str) -> Iterator[tuple[str, str]]:
    """Yield misspelt words and their corrections, in the question's order."""
    words = {word: analyse(word) for word in dict.fromkeys(_WORD.findall(question))}
    counts = library.frequencies(sorted({term for terms in words.values() for term in terms}))
    for word, terms in words.items():
        if len(terms) != 1 or counts[terms[0]] or _known(embedder, word):
            continue
        if meant := _nearest(library, word.lower(), terms[0]):
            yield word, meant.capitalize() if word[0].isupper() else meant


def correct(question: str, word: str, meant: str) -> str:
    """Replace a word in the question, except inside longer or hyphenated words."""
    return re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", lambda _: meant, question)


def _known(embedder: Embedder, word: str) -> bool:
    """Check whether the embedder has the word as one token, or the list of English words has it."""
    return embedder.count(word) - embedder.count("") <= 1 or any(
        form in _english() for form in _forms(word.lower())
    )


def _forms(word: str) -> Iterator[str]:
    """Yield the word, and its base form: "embed" for "embedder"."""
    yield word
    yield re.sub(r"([^aeiou])\1(?:er|ed|ing)s?$", r"\1", word)
    # British spelling, where the list has the American one: "summarise", "behaviour", "analyse".
    yield re.sub(r"([iy])s(e[srd]?|ing|ations?)$", r"\1z\2", word)
    yield re.sub(r"our(s|al|ed|ing|s?)$", r"or\1", word)


@cache
def _english() -> frozenset[str]:
    """Load 160,000 English words (0.1 s), when a question has a word that nothing else knows."""
    from spellchecker import SpellChecker

    return frozenset(SpellChecker(language="en").word_frequency.words())


def _nearest(library: Library, word: str, term: str) -> str | None:
    """Return the word that shares most letters; of several, the one in most papers."""
    distance = 2 if len(word) >= _LONG else 1
    papers = library.catalog.papers(library.similar(term, distance, _LOOKED_AT))
    found: Counter[str] = Counter()
    for paper in papers.values():
        found.update(
            {
                candidate
                for candidate in _WORD.findall(paper.text.lower())
                if abs(len(candidate) - len(word)) <= distance
            }
        )
    likeness = {
        candidate: SequenceMatcher(None, word, candidate, autojunk=False).ratio()
        for candidate in found
        if candidate[0] == word[0]
    }
    close = [
        candidate
        for candidate, ratio in likeness.items()
        if ratio >= _LIKE and analyse(candidate) != [term]
    ]
    # The word itself is the last key, so that the choice does not depend on the order of a set.
    return max(
        close,
        key=lambda candidate: (round(likeness[candidate], 2), found[candidate], candidate),
        default=None,
    )
